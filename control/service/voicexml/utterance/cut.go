package utterance

import (
	"time"

	"mcp/control/media/detect"
)

const (
	// longest is how much is kept of one utterance.
	longest = 2 * time.Minute
	// margin is kept of the silence before and after the voice: soft sounds begin and
	// end words.
	margin = 300 * time.Millisecond
	// stale is a voice after so much silence, unless the recognizer has taken it for
	// the beginning of input.
	stale = 3 * time.Second
)

// cut keeps what is heard from shortly before the caller speaks.
type cut struct {
	rate  int
	voice detect.Voice
	kept  []int16
	from  int // where the voice begins in kept
	to    int // and ends; 0: there is none
	begun bool
}

// add takes 20 ms.
func (c *cut) add(pcm []int16) {
	if len(c.kept) >= c.samples(longest) {
		return
	}
	c.kept = append(c.kept, pcm...)
	if c.voice.Frame(pcm) {
		if c.to == 0 {
			c.from = len(c.kept) - len(pcm)
		}
		c.to = len(c.kept)
	}
	if !c.begun && len(c.kept)-c.to >= c.samples(stale) {
		c.kept = append(c.kept[:0], c.kept[len(c.kept)-c.samples(margin):]...)
		c.from, c.to = 0, 0
	}
}

func (c *cut) samples(d time.Duration) int { return int(d * time.Duration(c.rate) / time.Second) }

// said is the utterance. What the recognizer has heard and we have not is all that
// there is.
func (c *cut) said() []int16 {
	switch {
	case c.to > 0:
		return c.kept[max(0, c.from-c.samples(margin)):min(len(c.kept), c.to+c.samples(margin))]
	case c.begun:
		return c.kept
	}
	return nil
}
