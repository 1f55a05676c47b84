package detect

import "time"

// signal is a network's tone, by its frequencies.
type signal uint8

const (
	none signal = iota
	ringTone
	busyTone
	anyTone // Europe's: the cadence tells what it means
)

// toneOf tells which tone a frame is.
func toneOf(pcm []int16, hz float64, sine bool) signal {
	const clear = 0.75
	switch {
	case sine && hz > 700:
		return none
	case ringing.share(pcm) > clear:
		return ringTone
	case busy.share(pcm) > clear:
		return busyTone
	case sine && near(hz, europe, 25):
		return anyTone
	}
	return none
}

// cadence follows when a tone is on and off (ITU-T E.180 section 4).
type cadence struct {
	tone   signal
	on     time.Duration // of the present or the last tone
	off    time.Duration // since
	busies int
	fasts  int
	rings  int
}

// frame takes what is to be heard for 20 ms.
func (c *cadence) frame(s signal, maxRings int) (Outcome, bool) {
	switch {
	case s == none && c.tone == none:
		return "", false
	case s == none:
		c.off += frame
	case c.off > 0 || c.tone == none:
		o, ok := c.cycle(maxRings)
		c.tone, c.on, c.off = s, frame, 0
		return o, ok
	default:
		c.tone = s
		c.on += frame
	}
	if c.off >= 8*time.Second { // nothing follows any more
		*c = cadence{rings: c.rings}
	}
	return "", false
}

// cycle judges a tone and the pause after it, once the next begins.
func (c *cadence) cycle(maxRings int) (Outcome, bool) {
	between := func(d, least, most time.Duration) bool { return d >= least && d <= most }
	const ms = time.Millisecond
	switch {
	case c.tone != ringTone && between(c.on, 160*ms, 340*ms) && between(c.off, 160*ms, 340*ms):
		c.fasts, c.busies = c.fasts+1, 0
		return FastBusy, c.fasts >= 3
	case c.tone != ringTone && between(c.on, 380*ms, 700*ms) && between(c.off, 380*ms, 700*ms):
		c.busies, c.fasts = c.busies+1, 0
		return Busy, c.busies >= 2
	case c.tone != busyTone && between(c.on, 300*ms, 2500*ms) && between(c.off, 1500*ms, 6000*ms):
		c.rings++
		return RingBack, maxRings > 0 && c.rings >= maxRings
	}
	c.busies, c.fasts = 0, 0
	return "", false
}

// sit follows special information tones: three tones, each higher than the one
// before, whose frequencies say why a call fails (ITU-T E.180
// supplement 2, Telcordia SR-2275 section 6.22.2).
type sit struct {
	step int
	on   time.Duration
	gap  time.Duration
	high [2]bool // the first two are of the higher variant
}

// The lower and the higher variant of the three tones, in Hz.
var sitTones = [3][2]float64{{913.8, 985.2}, {1370.6, 1428.5}, {1776.7, 1776.7}}

// mostGap is the longest between two of the tones.
const mostGap = 120 * time.Millisecond

func (s *sit) frame(hz float64, sine bool) (Outcome, bool) {
	variants := sitTones[s.step]
	switch {
	case sine && (near(hz, variants[0], 28) || near(hz, variants[1], 28)):
		if s.on == 0 && s.step < 2 {
			s.high[s.step] = hz > (variants[0]+variants[1])/2
		}
		s.on += frame
		s.gap = 0
		if s.step == 2 && s.on >= 200*time.Millisecond {
			return s.meaning(), true
		}
	case s.step < 2 && s.on >= 180*time.Millisecond && (!sine || s.follows(hz)):
		s.step, s.on, s.gap = s.step+1, 0, 0
		if sine {
			return s.frame(hz, sine)
		}
	default:
		if s.gap += frame; s.gap > mostGap || s.on > 0 {
			*s = sit{}
		}
	}
	return "", false
}

// follows tells whether a frequency is the next of the three tones.
func (s *sit) follows(hz float64) bool {
	next := sitTones[s.step+1]
	return near(hz, next[0], 28) || near(hz, next[1], 28)
}

func (s *sit) meaning() Outcome {
	switch {
	case s.high[0] && s.high[1]:
		return NoCircuit
	case s.high[0]:
		return Vacant
	case s.high[1]:
		return Reorder
	}
	return Intercept
}
