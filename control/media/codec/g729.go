package codec

// The frames of G.729 (RFC 3551 section 4.5.6), in octets: of speech, of which there
// are any number in a payload, and of annex B's silence, which comes last.
const (
	g729Frame   = 10
	g729Silence = 2
	g729Samples = 80 // of either
)

// g729Ticks is how long a payload lasts.
func g729Ticks(payload []byte) uint32 {
	n := len(payload) / g729Frame
	if len(payload)%g729Frame == g729Silence {
		n++
	}
	return uint32(n * g729Samples)
}
