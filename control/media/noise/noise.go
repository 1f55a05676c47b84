// Package noise reads, makes and measures comfort noise (RFC 3389): a description of
// the background at a far end that sends nothing while nobody speaks there.
package noise

import (
	"math"
	"slices"
)

// MaxOrder is the highest order of a description's spectrum; coefficients beyond it
// are left out, as section 3 allows.
const MaxOrder = 16

// unvoiced is the octet of a coefficient of zero, and reserved the one that means
// nothing yet (section 3.2).
const (
	unvoiced = 127
	reserved = 255
	step     = 258. / 32768
)

// overload is the square wave of 0 dBov, as linear samples: 8031 of mu-law's 14 bits
// (section 3.1).
const overload = 4 * 8031

// Silent is the lowest level, in -dBov.
const Silent = 127

// Description is what a payload says of noise. The zero value is the loudest white one.
type Description struct {
	Level    uint8 // -dBov, 0 to 127
	spectrum [MaxOrder]uint8
	order    int
}

// Parse reads a payload; false: it is empty. Coefficients behind one of the reserved
// value do not count.
func Parse(payload []byte) (Description, bool) {
	if len(payload) == 0 {
		return Description{}, false
	}
	d := Description{Level: payload[0] & 0x7f}
	rest := payload[1:min(len(payload), 1+MaxOrder)]
	if at := slices.Index(rest, reserved); at >= 0 {
		rest = rest[:at]
	}
	d.order = copy(d.spectrum[:], rest)
	return d, true
}

// Append appends the payload.
func (d Description) Append(dst []byte) []byte {
	return append(append(dst, d.Level&0x7f), d.spectrum[:d.order]...)
}

// coefficient is the reflection coefficient of a place in the spectrum.
func (d Description) coefficient(i int) float64 { return step * (float64(d.spectrum[i]) - unvoiced) }

// amplitude is the root of the noise's mean square, as linear samples.
func (d Description) amplitude() float64 {
	if d.Level >= Silent {
		return 0
	}
	return overload * math.Pow(10, -float64(d.Level)/20)
}

// Describe describes some audio, at the order that G.711's appendix II recommends.
func Describe(pcm []int16) Description {
	const order = 10
	var r [order + 1]float64
	for lag := range min(len(r), len(pcm)) {
		for i := lag; i < len(pcm); i++ {
			r[lag] += float64(pcm[i]) * float64(pcm[i-lag])
		}
	}
	d := Description{Level: level(amplitude(pcm))}
	if d.Level == Silent {
		return d
	}
	r[0] *= 1.0001 // some white noise, so that what follows stays stable
	d.order = order
	for i, k := range reflections(r[:]) {
		d.spectrum[i] = uint8(max(0, min(reserved-1, math.Round(k/step)+unvoiced)))
	}
	return d
}

// amplitude is the root of the mean square.
func amplitude(pcm []int16) float64 {
	var sum float64
	for _, s := range pcm {
		sum += float64(s) * float64(s)
	}
	return math.Sqrt(sum / float64(max(1, len(pcm))))
}

// level is an amplitude in -dBov.
func level(amplitude float64) uint8 {
	if amplitude < 1 {
		return Silent
	}
	return uint8(max(0, math.Round(20*math.Log10(overload/amplitude))))
}

// reflections are the coefficients of an autocorrelation, by Levinson and Durbin, of
// the filter whose first is negative where neighbours are alike.
func reflections(r []float64) []float64 {
	order := len(r) - 1
	k, a, before := make([]float64, order), make([]float64, order+1), make([]float64, order+1)
	a[0] = 1
	left := r[0]
	for m := 1; m <= order; m++ {
		sum := r[m]
		for i := 1; i < m; i++ {
			sum += a[i] * r[m-i]
		}
		k[m-1] = -sum / left
		copy(before, a)
		for i := 1; i < m; i++ {
			a[i] += k[m-1] * before[m-i]
		}
		a[m] = k[m-1]
		left *= 1 - k[m-1]*k[m-1]
	}
	return k
}
