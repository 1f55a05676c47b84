package detect

import "math"

// pureTone tells whether a frame is one steady sine, and its frequency in Hz: of a
// sine each sample follows from its neighbours by the same factor.
func pureTone(pcm []int16) (hz float64, ok bool) {
	var cross, energy float64
	for i := 1; i < len(pcm)-1; i++ {
		sides := float64(pcm[i-1]) + float64(pcm[i+1])
		cross += sides * float64(pcm[i])
		energy += float64(pcm[i]) * float64(pcm[i])
	}
	if energy < meanSquare(toneLevel)*float64(len(pcm)) {
		return 0, false
	}
	c := cross / (2 * energy)
	if c <= -1 || c >= 1 {
		return 0, false
	}
	var rest float64
	for i := 1; i < len(pcm)-1; i++ {
		d := float64(pcm[i-1]) + float64(pcm[i+1]) - 2*c*float64(pcm[i])
		rest += d * d
	}
	// The remainder of noise is at least its own energy, of a sine close to none.
	return math.Acos(c) * rate / (2 * math.Pi), rest < impurity*energy*(4*c*c+2)
}

const (
	toneLevel = -38   // dBm0 that a tone must have
	impurity  = 0.004 // of the energy that is not the sine's
)

// pair is two tones at once, as networks use them.
type pair struct{ low, high float64 }

// The tones of networks (ITU-T E.180 and its supplement 2): those of North America
// are pairs, Europe's is one.
var (
	ringing = pair{440, 480}
	busy    = pair{480, 620}
)

// europe is the tone that most networks say everything with, in Hz, by cadence.
const europe = 425

// share is how much of a frame's energy is at two frequencies.
func (p pair) share(pcm []int16) float64 {
	energy := power(pcm) * float64(len(pcm))
	if energy < meanSquare(toneLevel)*float64(len(pcm)) {
		return 0
	}
	low, high := newGoertzel(p.low), newGoertzel(p.high)
	for _, s := range pcm {
		low.add(float64(s))
		high.add(float64(s))
	}
	a, _ := low.take()
	b, _ := high.take()
	if a < b/16 || b < a/16 {
		return 0
	}
	return (a + b) / (energy * float64(len(pcm)) / 2)
}
