// Package measure tells what a listener gets: levels, tones, gaps, clicks, delay,
// and how far what is heard is from what was said. Tests and benchmarks judge by
// it; samples are linear, of 16 bits.
package measure

import (
	"math"
	"math/cmplx"
	"time"
)

// Level is the level of audio in dBm0: a full sine is +3.14 (ITU-T G.711).
func Level(pcm []int16) float64 {
	var sum float64
	for _, s := range pcm {
		sum += float64(s) * float64(s)
	}
	if len(pcm) == 0 || sum == 0 {
		return -100
	}
	return 20*math.Log10(math.Sqrt(2*sum/float64(len(pcm)))/32767) + 3.14
}

// Tone is the level in dBm0 of one frequency within audio.
func Tone(pcm []int16, rate int, hz float64) float64 {
	var re, im float64
	for i, s := range pcm {
		sin, cos := math.Sincos(2 * math.Pi * hz * float64(i) / float64(rate))
		re += float64(s) * cos
		im += float64(s) * sin
	}
	return 20*math.Log10(2*math.Hypot(re, im)/float64(max(1, len(pcm)))/32767+1e-6) + 3.14
}

// Gap is a time in which nothing was to be heard.
type Gap struct {
	At, Length time.Duration
}

// Gaps finds where audio is quieter than a level in dBm0 for at least some time.
func Gaps(pcm []int16, rate int, level float64, least time.Duration) []Gap {
	floor := int16(32767 * math.Pow(10, (level-3.14)/20))
	var gaps []Gap
	from := -1
	for i := 0; i <= len(pcm); i++ {
		if i < len(pcm) && pcm[i] <= floor && pcm[i] >= -floor {
			if from < 0 {
				from = i
			}
			continue
		}
		if length := span(i-from, rate); from >= 0 && length >= least {
			gaps = append(gaps, Gap{span(from, rate), length})
		}
		from = -1
	}
	return gaps
}

func span(samples, rate int) time.Duration {
	return time.Duration(samples) * time.Second / time.Duration(rate)
}

// Clicks counts the places where audio jumps: where a sample is far from what its
// neighbours lead to expect, compared with the audio around it.
func Clicks(pcm []int16) (n int) {
	const around = 80
	bend := func(i int) float64 {
		return math.Abs(float64(pcm[i-1]) - 2*float64(pcm[i]) + float64(pcm[i+1]))
	}
	for i := around; i < len(pcm)-around; i++ {
		here := bend(i)
		if here < 1000 {
			continue
		}
		var others float64
		for j := i - around + 1; j < i+around-1 && here > 4*others; j++ {
			if j < i-2 || j > i+2 {
				others = max(others, bend(j))
			}
		}
		if here > 4*others {
			n++
			i += around
		}
	}
	return n
}

// Delay finds by how much audio comes after its reference, up to a limit, and how
// alike the two are there: 1 is the same but for the level.
func Delay(reference, heard []int16, rate int, most time.Duration) (time.Duration, float64) {
	best, at := -1.0, 0
	limit := min(int(most*time.Duration(rate)/time.Second), len(heard)-1)
	n := min(len(reference), len(heard)-limit)
	if limit < 0 || n <= 0 {
		return 0, 0
	}
	a, b := product(reference[:n], reference), product(heard[:n], heard)
	for lag := 0; lag <= limit; lag++ {
		cross := product(reference[:n], heard[lag:])
		if c := float64(cross) / math.Sqrt(float64(a)*float64(b)+1); c > best {
			best, at = c, lag
		}
		if lag < limit { // the energy of what is heard, a sample on
			first, next := int64(heard[lag]), int64(heard[lag+n])
			b += next*next - first*first
		}
	}
	return span(at, rate), best
}

// product is the sum of the products of samples, as many as x has.
func product(x, y []int16) (sum int64) {
	y = y[:len(x)]
	for i, s := range x {
		sum += int64(s) * int64(y[i])
	}
	return sum
}

// The frames and the bands of Distance: 32 ms at 8 kHz, which overlap by half.
const (
	window = 256
	bands  = 16
)

// Distance is how far audio at 8 kHz is from its reference, aligned: the mean
// difference of the spectra in bands of equal width, in dB, where the reference
// is loud enough to matter. Equal audio is at 0, G.711 around 1, and another
// speaker's words beyond 10.
func Distance(reference, heard []int16) float64 {
	var sum float64
	count := 0
	loud, w := Level(reference)-30, turns()
	for i := 0; i+window <= min(len(reference), len(heard)); i += window / 2 {
		if Level(reference[i:i+window]) < loud {
			continue
		}
		a, b := spectrum(reference[i:i+window], &w), spectrum(heard[i:i+window], &w)
		top := 0.0
		for k := range bands {
			top = max(top, a[k])
		}
		for k := range bands {
			if a[k] > top/1e4 {
				sum += math.Abs(10 * math.Log10((b[k]+1)/(a[k]+1)))
				count++
			}
		}
	}
	return sum / float64(max(1, count))
}

// spectrum is the energy in bands.
func spectrum(pcm []int16, w *[window]complex128) (energy [bands]float64) {
	var x, y [window]complex128
	for i, s := range pcm {
		x[i] = complex(float64(s)*(0.5-0.5*real(w[i])), 0)
	}
	transform(y[:], x[:], w, 1)
	for k := range window / 2 {
		energy[k*bands*2/window] += real(y[k])*real(y[k]) + imag(y[k])*imag(y[k])
	}
	return energy
}

// turns are the window-th roots of one, clockwise.
func turns() (w [window]complex128) {
	for k := range w {
		w[k] = cmplx.Rect(1, -2*math.Pi*float64(k)/window)
	}
	return w
}

// transform is the fast Fourier transform of every step-th of x, whose length is a power
// of two, into y.
func transform(y, x []complex128, w *[window]complex128, step int) {
	n := len(y)
	if n == 1 {
		y[0] = x[0]
		return
	}
	transform(y[:n/2], x, w, 2*step)
	transform(y[n/2:], x[step:], w, 2*step)
	for k := range n / 2 {
		even, odd := y[k], w[k*step]*y[k+n/2]
		y[k], y[k+n/2] = even+odd, even-odd
	}
}
