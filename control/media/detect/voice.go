// Package detect listens to audio for what it means: voices, keys, the tones of
// the network, fax machines and answering machines. It knows no packets and no
// clock: time is how many samples it was given.
package detect

import (
	"math"
	"time"
)

// frame is how much audio detectors take at once.
const frame = 20 * time.Millisecond

// Voice tells speech from silence and noise, frame by frame.
type Voice struct {
	floor float64 // of the noise, mean square
	begun bool
	lasts time.Duration
}

// Lasts is how long there has been speech without a pause.
func (v *Voice) Lasts() time.Duration { return v.lasts }

// Speech is above this level whatever the noise, and this much above the noise.
const (
	quiet = -45.0 // dBm0
	above = 9.0   // dB
	// noise rises by at most so much a frame, so that speech is not taken for it.
	rise = 1.01
)

// meanSquare is that of a level in dBm0.
func meanSquare(level float64) float64 {
	const sine = 22827 // amplitude of 0 dBm0 (ITU-T G.711)
	return sine * sine / 2 * math.Pow(10, level/10)
}

// power is a frame's mean square.
func power(pcm []int16) float64 {
	var sum int64
	for _, s := range pcm {
		sum += int64(s) * int64(s)
	}
	return float64(sum) / float64(max(1, len(pcm)))
}

// Frame takes a frame of 20 ms and tells whether there is speech in it.
func (v *Voice) Frame(pcm []int16) bool {
	now := power(pcm)
	least, most := meanSquare(-70), meanSquare(-30)
	switch {
	case !v.begun:
		v.begun, v.floor = true, min(now, most)
	case now < v.floor:
		v.floor += (now - v.floor) / 4
	default:
		v.floor = min(v.floor*rise, now)
	}
	v.floor = min(max(v.floor, least), most)
	if now > meanSquare(quiet) && now > v.floor*math.Pow(10, above/10) {
		v.lasts += frame
		return true
	}
	v.lasts = 0
	return false
}
