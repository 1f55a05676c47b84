package engine

import "math"

// sincTaps is how many zero crossings of the filter stand on each side. Sixteen
// keep what folds over 4 kHz below -60 dB, which neither ear nor recognizer notices.
const sincTaps = 16

// resample converts mono audio between sampling rates with a windowed-sinc
// low-pass at the lower of the two Nyquist frequencies. Between the rates there
// are only so many positions an output sample can have among the input's, each
// of which has its own filter.
func resample(in []int16, from, to int) []int16 {
	if from == to || len(in) == 0 {
		return in
	}
	divisor := gcd(from, to)
	up, down := to/divisor, from/divisor
	filters := make([][]float64, up)
	for phase := range filters {
		filters[phase] = filter(float64(phase)/float64(up), math.Min(1, float64(to)/float64(from)))
	}
	out := make([]int16, (len(in)*up+down-1)/down)
	for i := range out {
		taps := filters[i*down%up]
		first := i*down/up - len(taps)/2 + 1
		sum := 0.0
		for k, tap := range taps {
			if at := first + k; at >= 0 && at < len(in) {
				sum += tap * float64(in[at])
			}
		}
		out[i] = clip(sum)
	}
	return out
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// filter is for an output sample at a fraction of an input sample after the one
// in the middle, which is at len/2-1.
func filter(fraction, cutoff float64) []float64 {
	reach := sincTaps / cutoff
	half := int(math.Ceil(reach))
	taps := make([]float64, 2*half)
	for k := range taps {
		if x := fraction - float64(k-half+1); math.Abs(x) < reach {
			taps[k] = kernel(x, cutoff, reach)
		}
	}
	return taps
}

// kernel is a sinc under a Hann window.
func kernel(x, cutoff, reach float64) float64 {
	if x == 0 {
		return cutoff
	}
	window := 0.5 + 0.5*math.Cos(math.Pi*x/reach)
	return math.Sin(math.Pi*cutoff*x) / (math.Pi * x) * window
}

func clip(x float64) int16 {
	return int16(math.Max(math.MinInt16, math.Min(math.MaxInt16, math.Round(x))))
}
