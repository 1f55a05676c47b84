package caller

import (
	"math"
	"time"
)

const (
	clockRate    = 8000
	frameTime    = 20 * time.Millisecond
	frameSamples = clockRate / 50
)

// voiced is the level, as a root mean square of 16-bit samples, above which a
// frame is speech: about -46 dB, far above a codec's noise and far below a
// voice's quiet end.
const voiced = 160

// joinWithin is the longest pause within one segment of speech.
const joinWithin = 300 * time.Millisecond

// Segment is a stretch of speech on one side of a call.
type Segment struct {
	Start    time.Duration `json:"start_ns"` // since the call was answered
	Duration time.Duration `json:"duration_ns"`
	Level    float64       `json:"level_db"` // mean energy, relative to full scale
	Text     string        `json:"text,omitempty"`
}

// End is where the segment ends.
func (s Segment) End() time.Duration { return s.Start + s.Duration }

// Segments finds the stretches of speech in a recording: those of at least
// shortest, pauses up to join included.
func Segments(audio []int16, join, shortest time.Duration) []Segment {
	var found []Segment
	energy := 0.0
	close := func() {
		n := len(found)
		if n == 0 {
			return
		}
		last := &found[n-1]
		last.Level = decibel(energy / float64(last.Duration/frameTime))
		energy = 0
		if last.Duration < shortest {
			found = found[:n-1]
		}
	}
	for i := 0; i+frameSamples <= len(audio); i += frameSamples {
		power := meanSquare(audio[i : i+frameSamples])
		if power < voiced*voiced {
			continue
		}
		at := time.Duration(i) * time.Second / clockRate
		if n := len(found); n == 0 || at-found[n-1].End() > join {
			close()
			found = append(found, Segment{Start: at})
			energy = 0
		}
		last := &found[len(found)-1]
		last.Duration = at + frameTime - last.Start
		energy += power
	}
	close()
	return found
}

func meanSquare(frame []int16) float64 {
	sum := 0.0
	for _, s := range frame {
		sum += float64(s) * float64(s)
	}
	return sum / float64(len(frame))
}

func decibel(power float64) float64 {
	const fullScale = math.MaxInt16 * math.MaxInt16
	return math.Round(100*math.Log10(max(power, 1)/fullScale)) / 10
}

// ear follows what is heard as it arrives: whether someone spoke since it was
// asked, and for how long it has been silent.
type ear struct {
	since  time.Time     // when listening began
	spoken time.Duration // of voiced frames since then
	last   time.Time     // when the last of them arrived
}

func (e *ear) attend(at time.Time) { *e = ear{since: at} }

func (e *ear) hear(frame []int16, at time.Time) {
	if len(frame) > 0 && meanSquare(frame) >= voiced*voiced {
		e.spoken += time.Duration(len(frame)) * time.Second / clockRate
		e.last = at
	}
}

// finished tells whether somebody spoke for a while and then was silent for quiet.
func (e *ear) finished(now time.Time, quiet time.Duration) bool {
	const shortest = 100 * time.Millisecond
	return e.spoken >= shortest && now.Sub(e.last) >= quiet
}
