package caller

import (
	"math"
	"time"
)

// Tone is a stretch of a recording in which one frequency was heard.
type Tone struct {
	Hz              float64
	Start, Duration time.Duration
}

// purity is the share of a frame's energy that its frequency must have.
const purity = 0.8

// Tones finds where each of some frequencies is heard alone, in order of time.
// What is shorter than shortest is left out, pauses up to join included.
func Tones(audio []int16, frequencies []float64, join, shortest time.Duration) []Tone {
	var found []Tone
	for i := 0; i+frameSamples <= len(audio); i += frameSamples {
		hz := pitch(audio[i:i+frameSamples], frequencies)
		if hz == 0 {
			continue
		}
		at := time.Duration(i) * time.Second / clockRate
		if n := len(found); n == 0 || found[n-1].Hz != hz || at-found[n-1].Start-found[n-1].Duration > join {
			found = append(found, Tone{Hz: hz, Start: at})
		}
		last := &found[len(found)-1]
		last.Duration = at + frameTime - last.Start
	}
	var long []Tone
	for _, t := range found {
		if t.Duration >= shortest {
			long = append(long, t)
		}
	}
	return long
}

// pitch is the frequency that a frame consists of, 0 when it is none of them.
func pitch(frame []int16, frequencies []float64) float64 {
	energy := meanSquare(frame)
	if energy < voiced*voiced {
		return 0
	}
	for _, hz := range frequencies {
		if goertzel(frame, hz) >= purity*energy {
			return hz
		}
	}
	return 0
}

// goertzel is the mean square of a frame's part at one frequency.
func goertzel(frame []int16, hz float64) float64 {
	w := 2 * math.Pi * hz / clockRate
	var s1, s2 float64
	for _, x := range frame {
		s1, s2 = float64(x)+2*math.Cos(w)*s1-s2, s1
	}
	power := s1*s1 + s2*s2 - 2*math.Cos(w)*s1*s2
	n := float64(len(frame))
	return 2 * power / (n * n)
}

// Hum is a tone of a frequency, as something to say.
func Hum(hz float64, length time.Duration) []int16 {
	samples := make([]int16, int(length*clockRate/time.Second))
	for i := range samples {
		samples[i] = int16(8000 * math.Sin(2*math.Pi*hz*float64(i)/clockRate))
	}
	return samples
}
