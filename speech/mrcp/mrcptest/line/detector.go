package line

import "math"

// Levels are in dB relative to full scale.
const (
	quietest  = -75.0 // what digital silence counts as
	presumed  = -60.0 // the noise floor before anything was heard
	audible   = -48.0 // nothing below is ever speech
	floorSpan = 3000 / FrameMillis
	warmUp    = 1000 / FrameMillis // until then the presumed floor holds as well
)

// Detector follows a stream's noise floor: the least level of the last three
// seconds. Speech dips to it between its words, steady noise never leaves it.
type Detector struct {
	levels [floorSpan]float64
	heard  int
}

// Measure takes the stream's next frame and tells by how many dB it stands out of
// the noise. What is too soft to be speech does not.
func (d *Detector) Measure(frame []int16) float64 {
	level := Level(frame)
	excess := level - d.floor()
	d.levels[d.heard%floorSpan] = level
	d.heard++
	if level <= audible {
		return 0
	}
	return excess
}

func (d *Detector) floor() float64 {
	floor := presumed
	if d.heard >= warmUp {
		floor = 0
	}
	for _, level := range d.levels[:min(d.heard, floorSpan)] {
		floor = min(floor, level)
	}
	return max(floor, quietest)
}

// Level is the frame's root mean square in dB relative to full scale.
func Level(frame []int16) float64 {
	if len(frame) == 0 {
		return quietest
	}
	var sum float64
	for _, sample := range frame {
		sum += float64(sample) * float64(sample)
	}
	if sum == 0 {
		return quietest
	}
	return 10 * math.Log10(sum/float64(len(frame))/(32768*32768))
}
