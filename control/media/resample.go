package media

import "math"

// halfWidth is how many zero crossings of the filter are used on each side.
const halfWidth = 16

// resample changes the sample rate with a windowed-sinc filter that keeps what
// both rates can carry. It is for whole recordings, before they are played.
func resample(in []int16, from, to int) []int16 {
	if from == to || len(in) == 0 {
		return in
	}
	step := float64(from) / float64(to)
	cutoff := math.Min(1, 1/step) * 0.95 // the rest is the filter's slope
	reach := int(math.Ceil(halfWidth / cutoff))
	out := make([]int16, int(float64(len(in))/step))
	for i := range out {
		at := float64(i) * step
		var sum float64
		for k := int(at) - reach + 1; k <= int(at)+reach; k++ {
			if k >= 0 && k < len(in) {
				sum += float64(in[k]) * kernel((at-float64(k))*cutoff) * cutoff
			}
		}
		out[i] = int16(math.Max(math.MinInt16, math.Min(math.MaxInt16, math.Round(sum))))
	}
	return out
}

// kernel is sinc under a Hann window.
func kernel(x float64) float64 {
	if x == 0 {
		return 1
	}
	if math.Abs(x) >= halfWidth {
		return 0
	}
	return math.Sin(math.Pi*x) / (math.Pi * x) * (0.5 + 0.5*math.Cos(math.Pi*x/halfWidth))
}
