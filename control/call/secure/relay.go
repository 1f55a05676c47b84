package secure

import (
	"fmt"
	"strings"

	"mcp/control/sdp"
)

// Relay is what the far end is told of another far end's keys when the audio of the two
// is to go from one to the other. Keys themselves travel only in signalling that may
// have them; the lines left out are those that cannot be repeated. It fails with
// ErrRefused where the audio is to be protected and nothing of how is left.
func (s *Side) Relay(theirs sdp.Keying) (sdp.Keying, error) {
	k := sdp.Keying{Transport: strings.TrimSuffix(theirs.Transport, "F"), DTLS: theirs.DTLS}
	if s.Confidential || s.Policy.Clear {
		for _, line := range theirs.Crypto {
			if line.Err == nil {
				k.Crypto = append(k.Crypto, line)
			}
		}
	}
	if k.Demanded() && !k.Offered() {
		return sdp.Keying{}, fmt.Errorf("%w: %s cannot be handed on", ErrRefused, theirs.Transport)
	}
	return k, nil
}
