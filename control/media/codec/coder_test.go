package codec

import (
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"mcp/control/media/alloctest"
)

// tone is a second of two partials, at a codec's rate.
func tone(rate int) []int16 {
	out := make([]int16, rate)
	for i := range out {
		t := 2 * math.Pi * float64(i) / float64(rate)
		out[i] = int16(6000*math.Sin(440*t) + 3000*math.Sin(1200*t))
	}
	return out
}

func strength(pcm []int16, rate int, hz float64) float64 {
	var re, im float64
	for i, s := range pcm {
		w := 2 * math.Pi * hz * float64(i) / float64(rate)
		re += float64(s) * math.Cos(w)
		im += float64(s) * math.Sin(w)
	}
	return 2 * math.Hypot(re, im) / float64(len(pcm))
}

var all = append(Spoken(), L16, Codec{Name: "L16", PayloadType: 98, ClockRate: 16000})

// Two partials go through every codec in frames of every length.
func TestTonesSurviveEveryCodec(t *testing.T) {
	for _, c := range all {
		for _, ms := range []int{10, 20, 30, 40, 60} {
			if span := time.Duration(ms) * time.Millisecond; c.Span(span) != span {
				continue
			}
			e, err := NewEncoder(c)
			if err != nil {
				t.Fatal(err)
			}
			d, err := NewDecoder(c)
			if err != nil {
				t.Fatal(err)
			}
			rate := c.SampleRate()
			in := tone(rate)
			var out []int16
			for n := rate * ms / 1000; len(in) >= n; in = in[n:] {
				payload, err := e.Encode(nil, in[:n])
				if err != nil {
					t.Fatal(err)
				}
				if got := c.Ticks(payload); got != uint32(c.ClockRate*ms/1000) {
					t.Fatalf("%s, %d ms: %d ticks", c.Name, ms, got)
				}
				if out, err = d.Decode(out, payload); err != nil {
					t.Fatal(err)
				}
			}
			if len(out) < rate*9/10 {
				t.Errorf("%s, %d ms: %d samples of a second", c.Name, ms, len(out))
				continue
			}
			out = out[rate/4 : rate*3/4]
			if c.Same(G729) {
				continue // which has but one pitch: it is tried with a voice
			}
			if a, b := strength(out, rate, 440), strength(out, rate, 1200); math.Abs(a-6000) > 900 || math.Abs(b-3000) > 600 {
				t.Errorf("%s, %d ms: 440 Hz is %.0f of 6000, 1200 Hz %.0f of 3000", c.Name, ms, a, b)
			}
		}
	}
}

func TestUnknownCodecs(t *testing.T) {
	for _, c := range []Codec{{}, {Name: "G723", ClockRate: 8000}, {Name: "PCMU", ClockRate: 16000}, {Name: "L16", ClockRate: 1}} {
		if _, err := NewEncoder(c); !errors.Is(err, ErrUnknown) || c.Known() {
			t.Errorf("%+v can be encoded: %v", c, err)
		}
		if _, err := NewDecoder(c); !errors.Is(err, ErrUnknown) {
			t.Errorf("%+v can be decoded: %v", c, err)
		}
	}
}

func TestFramesHaveLengthsOfTheirOwn(t *testing.T) {
	for _, tt := range []struct {
		codec        Codec
		wanted, want time.Duration // ms
	}{
		{PCMU, 30, 30}, {PCMA, 100, 100}, {G722, 10, 10}, {L16, 60, 60},
		{GSM, 10, 20}, {GSM, 20, 20}, {GSM, 30, 20}, {GSM, 40, 40}, {GSM, 60, 60}, {GSM, 100, 100},
		{G729, 5, 10}, {G729, 30, 30}, {G729, 35, 30},
		{AMR, 10, 20}, {AMR, 30, 20}, {AMR, 60, 60},
		{Opus, 5, 10}, {Opus, 10, 10}, {Opus, 30, 20}, {Opus, 40, 40}, {Opus, 60, 60}, {Opus, 120, 60},
	} {
		if got := tt.codec.Span(tt.wanted * time.Millisecond); got != tt.want*time.Millisecond {
			t.Errorf("%s: %d ms are %s, want %d ms", tt.codec.Name, tt.wanted, got, tt.want)
		}
	}
}

// Whoever has samples encoded may have them encoded for somebody else, too.
func TestEncodingLeavesSamplesAlone(t *testing.T) {
	for _, c := range all {
		e, _ := NewEncoder(c)
		pcm := tone(c.SampleRate())[:c.SampleRate()/50]
		before := slices.Clone(pcm)
		if _, err := e.Encode(nil, pcm); err != nil || !slices.Equal(pcm, before) {
			t.Errorf("%s: the samples are others now, %v", c.Name, err)
		}
	}
}

// The steady state of a stream costs no memory.
func TestCodingDoesNotAllocate(t *testing.T) {
	for _, c := range all {
		e, _ := NewEncoder(c)
		d, _ := NewDecoder(c)
		pcm := tone(c.SampleRate())[:c.SampleRate()/50]
		payload, back := make([]byte, 0, 2000), make([]int16, 0, 4000)
		n := alloctest.PerRun(20, func() {
			payload, _ = e.Encode(payload[:0], pcm)
			back, _ = d.Decode(back[:0], payload)
		})
		if n != 0 {
			t.Errorf("%s: %g allocations", c.Name, n)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for i := range all {
		f.Add(i, []byte{0xfc, 1, 2, 3})
	}
	f.Fuzz(func(t *testing.T, which int, payload []byte) {
		d, err := NewDecoder(all[uint(which)%uint(len(all))])
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if pcm, _ := d.Decode(nil, payload); len(pcm) > max(longestOpus, 2*len(payload)) {
				t.Errorf("%d octets became %d samples", len(payload), len(pcm))
			}
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	for _, c := range all {
		b.Run(c.Name, func(b *testing.B) {
			e, _ := NewEncoder(c)
			pcm, out := tone(c.SampleRate())[:c.SampleRate()/50], make([]byte, 0, 2000)
			b.ReportAllocs()
			for b.Loop() {
				out, _ = e.Encode(out[:0], pcm)
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, c := range all {
		b.Run(c.Name, func(b *testing.B) {
			e, _ := NewEncoder(c)
			d, _ := NewDecoder(c)
			payload, _ := e.Encode(nil, tone(c.SampleRate())[:c.SampleRate()/50])
			out := make([]int16, 0, 4000)
			b.ReportAllocs()
			for b.Loop() {
				out, _ = d.Decode(out[:0], payload)
			}
		})
	}
}
