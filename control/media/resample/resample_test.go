package resample

import (
	"math"
	"slices"
	"testing"
)

func sine(rate, hz, n int, level float64) []int16 {
	out := make([]int16, n)
	for i := range out {
		out[i] = int16(level * math.Sin(2*math.Pi*float64(hz)*float64(i)/float64(rate)))
	}
	return out
}

// strength is the level of a tone within audio.
func strength(pcm []int16, rate, hz int) float64 {
	var re, im float64
	for i, s := range pcm {
		w := 2 * math.Pi * float64(hz) * float64(i) / float64(rate)
		re += float64(s) * math.Cos(w)
		im += float64(s) * math.Sin(w)
	}
	return 2 * math.Hypot(re, im) / float64(len(pcm))
}

func TestATonePassesEveryPairOfRates(t *testing.T) {
	for _, from := range []int{8000, 11025, 16000, 44100, 48000} {
		for _, to := range []int{8000, 16000, 48000} {
			whole := Whole(sine(from, 1000, from, 10000), from, to)
			var stream []int16
			s := New(from, to)
			for in, n := sine(from, 1000, from, 10000), from/50; len(in) >= n; in = in[n:] {
				before := len(stream)
				stream = s.Append(stream, in[:n])
				if got, want := len(stream)-before, n*to/from; before > 0 && (got < want-1 || got > want+1) {
					t.Fatalf("%d to %d: a frame of %d samples, want %d", from, to, got, want)
				}
			}
			for what, out := range map[string][]int16{"whole": whole, "stream": stream} {
				out = out[len(out)/4:]
				out = out[:len(out)/(to/100)*(to/100)] // whole periods
				got := strength(out, to, 1000)
				var noise float64
				for _, v := range out {
					noise += float64(v) * float64(v)
				}
				noise = math.Sqrt(noise/float64(len(out))*2) - got
				if math.Abs(got-10000) > 150 || math.Abs(noise) > 40 {
					t.Errorf("%s, %d to %d: the tone is %.0f of 10000, the rest %.0f", what, from, to, got, noise)
				}
			}
		}
	}
}

// What the lower rate cannot carry is taken out before it folds down.
func TestNothingFoldsDown(t *testing.T) {
	out := Whole(sine(48000, 5000, 48000, 10000), 48000, 8000)
	if got := strength(out, 8000, 3000); got > 50 {
		t.Errorf("5 kHz became %.0f of 10000 at 3 kHz", got)
	}
}

func TestStreamDoesNotAllocate(t *testing.T) {
	s, in, out := New(8000, 48000), make([]int16, 160), make([]int16, 0, 2000)
	s.Append(out, in)
	if n := testing.AllocsPerRun(50, func() { s.Append(out, in) }); n != 0 {
		t.Errorf("%g allocations", n)
	}
}

func BenchmarkStream8to16(b *testing.B) {
	s, in, out := New(8000, 16000), make([]int16, 160), make([]int16, 0, 400)
	for b.Loop() {
		s.Append(out, in)
	}
}

// A stream without delay makes in pieces what Whole makes at once.
func TestUndelayedIsWhole(t *testing.T) {
	for _, from := range []int{4000, 7999, 8000, 11025, 22050, 44100, 48000} {
		in := sine(from, 1000, from/2+7, 10000)
		s := NewUndelayed(from, 8000)
		var got []int16
		for rest := in; len(rest) > 0; {
			n := min(len(rest), 333)
			got = s.Append(got, rest[:n])
			rest = rest[n:]
		}
		if got = s.Finish(got); !slices.Equal(got, Whole(in, from, 8000)) {
			t.Errorf("%d Hz: %d samples, want %d, or others", from, len(got), len(Whole(in, from, 8000)))
		}
	}
}
