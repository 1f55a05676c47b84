package noise

// What a frame has to be to be left out, and how often the far end is told that the
// noise goes on. Speech has its pauses, so that a frame counts only after some others.
const (
	quiet    = 50 // -dBov
	hangover = 10 // frames
	renewal  = 50
)

// Pause finds the frames of a stream that need not be sent, because noise does as well
// for who hears it. The zero value is a stream that begins.
type Pause struct {
	frames int // that were quiet, of late
}

// Frame judges the next frame: whether it is to be left out, and what is to be sent in
// its place; nothing, where payload is empty. The payload is appended to dst.
func (p *Pause) Frame(dst []byte, pcm []int16) (payload []byte, out bool) {
	if level(amplitude(pcm)) < quiet {
		p.frames = 0
		return dst, false
	}
	p.frames++
	since := p.frames - hangover
	if since <= 0 {
		return dst, false
	}
	if (since-1)%renewal == 0 {
		dst = Describe(pcm).Append(dst)
	}
	return dst, true
}
