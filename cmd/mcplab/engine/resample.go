package engine

import "math"

// sincTaps is how many zero crossings of the filter stand on each side. Sixteen
// keep what folds over 4 kHz below -60 dB, which neither ear nor recognizer notices.
const sincTaps = 16

// resample converts mono audio between sampling rates with a windowed-sinc
// low-pass at the lower of the two Nyquist frequencies.
func resample(in []int16, from, to int) []int16 {
	if from == to || len(in) == 0 {
		return in
	}
	step := float64(from) / float64(to)
	cutoff := math.Min(1, 1/step)
	reach := sincTaps / cutoff
	out := make([]int16, int(math.Ceil(float64(len(in))/step)))
	for i := range out {
		at := float64(i) * step
		first := max(int(math.Ceil(at-reach)), 0)
		last := min(int(math.Floor(at+reach)), len(in)-1)
		sum := 0.0
		for j := first; j <= last; j++ {
			sum += float64(in[j]) * kernel(at-float64(j), cutoff, reach)
		}
		out[i] = clip(sum)
	}
	return out
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
