// Package resample changes the sample rate of linear audio by a polyphase
// filter: whole recordings, and streams as they come.
package resample

import "math"

// How the filter is made: a sinc of so many zero crossings on each side under a
// Hann window, that lets through so much of what both rates can carry; the rest
// is its slope.
const (
	crossings = 16
	passband  = 0.95
)

// maxPhases bounds the filter's table; odd pairs of rates have many thousands of
// phases and take the nearest of these.
const maxPhases = 1024

// Whole changes the sample rate of a whole recording, without any delay.
func Whole(in []int16, from, to int) []int16 {
	if from == to || len(in) == 0 {
		return in
	}
	f := newFilter(from, to)
	out := make([]int16, (len(in)*to+from-1)/from)
	for i := range out {
		at := i * from // in units of 1/to samples
		sum := f.apply(in, at/to, at%to*f.phases/to)
		out[i] = clamp(sum)
	}
	return out
}

// filter holds the taps for each of the places between two samples at which an
// output can fall.
type filter struct {
	reach  int // samples on each side
	phases int
	taps   [][]float64 // by phase; made when first needed
	cutoff float64
}

func newFilter(from, to int) *filter {
	cutoff := passband * math.Min(1, float64(to)/float64(from))
	phases := min(to/gcd(from, to), maxPhases)
	return &filter{
		reach: int(math.Ceil(crossings / cutoff)), phases: phases,
		taps: make([][]float64, phases), cutoff: cutoff,
	}
}

// apply is the sum around a place between in[at] and the next sample.
func (f *filter) apply(in []int16, at, phase int) float64 {
	if f.taps[phase] == nil {
		f.taps[phase] = f.make(phase)
	}
	taps := f.taps[phase]
	first := at - f.reach + 1
	from, to := max(0, -first), min(len(taps), len(in)-first)
	var sum float64
	for k := from; k < to; k++ {
		sum += taps[k] * float64(in[first+k])
	}
	return sum
}

// make computes one phase's taps, which sum up to one.
func (f *filter) make(phase int) []float64 {
	taps := make([]float64, 2*f.reach)
	var sum float64
	for k := range taps {
		taps[k] = hannSinc((float64(k-f.reach+1) - float64(phase)/float64(f.phases)) * f.cutoff)
		sum += taps[k]
	}
	for k := range taps {
		taps[k] /= sum
	}
	return taps
}

func hannSinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	if math.Abs(x) >= crossings {
		return 0
	}
	return math.Sin(math.Pi*x) / (math.Pi * x) * (0.5 + 0.5*math.Cos(math.Pi*x/crossings))
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

func clamp(v float64) int16 {
	return int16(math.Max(math.MinInt16, math.Min(math.MaxInt16, math.Round(v))))
}
