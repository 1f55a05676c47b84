package detect

import (
	"math/rand/v2"
	"testing"
	"time"

	"mcp/control/media/codec"
	"mcp/control/media/tone"
)

// repeat is a cadence so many times over.
func repeat(n int, on, off time.Duration, hz ...float64) (parts []tone.Part) {
	for range n {
		parts = append(parts, tone.Part{Hz: hz, Level: -15, For: on}, tone.Part{For: off})
	}
	return parts
}

func sits(first, second float64) []tone.Part {
	part := func(hz float64) tone.Part { return tone.Part{Hz: []float64{hz}, Level: -20, For: 330 * ms} }
	return []tone.Part{{For: 500 * ms}, part(first), part(second), part(1776.7), {For: time.Second}}
}

// words are utterances, each followed by a pause, in milliseconds.
func words(lengths ...int) []int16 {
	out := make([]int16, 4000)
	for i, n := range lengths {
		if i%2 == 0 {
			out = append(out, vowels(n/1000+1, uint64(i))[:n*8]...)
			continue
		}
		out = append(out, make([]int16, n*8)...)
	}
	return out
}

// outcomes are all that is told of some audio.
func outcomes(p *Progress, pcm []int16) (all []Outcome) {
	for ; len(pcm) >= 160; pcm = pcm[160:] {
		if o, ok := p.Frame(pcm[:160]); ok {
			all = append(all, o)
			if o != Machine && o != GreetingOver {
				return all
			}
		}
	}
	return all
}

func TestTonesBeforeTheAnswer(t *testing.T) {
	for _, tt := range []struct {
		name  string
		parts []tone.Part
		want  Outcome
	}{
		{"American busy", repeat(4, 500*ms, 500*ms, 480, 620), Busy},
		{"European busy", repeat(4, 480*ms, 480*ms, 425), Busy},
		{"American fast busy", repeat(6, 250*ms, 250*ms, 480, 620), FastBusy},
		{"European congestion", repeat(6, 240*ms, 240*ms, 425), FastBusy},
		{"American ringing", repeat(4, 2*time.Second, 4*time.Second, 440, 480), RingBack},
		{"European ringing", repeat(4, time.Second, 4*time.Second, 425), RingBack},
		{"no circuit", sits(985.2, 1428.5), NoCircuit},
		{"intercept", sits(913.8, 1370.6), Intercept},
		{"reorder", sits(913.8, 1428.5), Reorder},
		{"vacant", sits(985.2, 1370.6), Vacant},
		{"calling fax", repeat(1, 500*ms, 500*ms, 1100), Fax},
		{"called fax", repeat(1, 3*time.Second, 100*ms, 2100), Fax},
		{"dial tone", repeat(1, 8*time.Second, 0, 350, 440), ""},
		{"one ring", repeat(1, 2*time.Second, 4*time.Second, 440, 480), ""},
		{"a long 425 Hz", repeat(1, 8*time.Second, 0, 425), ""},
	} {
		clean := tone.PCM(rate, tt.parts...)
		noisy := make([]int16, len(clean))
		for i, s := range clean {
			noisy[i] = s + int16(rand.NormFloat64()*tone.Amplitude(-50))
		}
		law, _ := codec.PCMU.Encode(noisy)
		coded, _ := codec.PCMU.Decode(law)
		for what, pcm := range map[string][]int16{"clean": clean, "coded, with noise": coded} {
			timing := DefaultTiming()
			timing.MaxRings = 3
			got := outcomes(NewProgress(timing), pcm)
			if tt.want == "" && len(got) > 0 || tt.want != "" && (len(got) != 1 || got[0] != tt.want) {
				t.Errorf("%s, %s: %v, want %v", tt.name, what, got, tt.want)
			}
		}
	}
}

func TestWhoAnswers(t *testing.T) {
	beeps := func(after time.Duration) []int16 {
		return append(words(4000), tone.PCM(rate, tone.Part{For: after}, tone.Part{Hz: []float64{1000}, Level: -12, For: 400 * ms}, tone.Part{For: time.Second})...)
	}
	for _, tt := range []struct {
		name string
		pcm  []int16
		want []Outcome
	}{
		{"hello?", words(500, 2000), []Outcome{Human}},
		{"hello, here is", words(500, 400, 600, 2000), []Outcome{Human}},
		{"a long greeting", words(4000, 500), []Outcome{Machine}},
		{"a long greeting and its end", words(4000, 1500), []Outcome{Machine, GreetingOver}},
		{"a greeting in pieces", words(700, 300, 800, 300, 900, 500), []Outcome{Machine}},
		{"a machine with its beep", beeps(500 * ms), []Outcome{Machine, Beep}},
		{"a machine whose beep is late", beeps(1500 * ms), []Outcome{Machine, GreetingOver, Beep}},
		{"nobody", make([]int16, 8*rate), []Outcome{Silence}},
		{"a fax", tone.PCM(rate, repeat(1, 3*time.Second, 0, 2100)...), []Outcome{Fax}},
	} {
		p := NewProgress(DefaultTiming())
		p.Connected()
		got := outcomes(p, tt.pcm)
		if len(got) != len(tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
			continue
		}
		for i := range got {
			if got[i] != tt.want[i] {
				t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
			}
		}
	}
}

func TestFaxTones(t *testing.T) {
	for _, tt := range []struct {
		name   string
		hz     float64
		length time.Duration
		want   FaxTone
	}{
		{"calling", 1100, 500 * ms, CNG},
		{"called", 2100, 500 * ms, CED},
		{"calling, off by 3 %", 1130, 500 * ms, CNG},
		{"too short", 1100, 100 * ms, ""},
		{"a beep", 1000, 500 * ms, ""},
	} {
		var got FaxTone
		f := NewFaxTones(160 * ms)
		for pcm := tone.PCM(rate, tone.Part{Hz: []float64{tt.hz}, Level: -20, For: tt.length}); len(pcm) >= 160; pcm = pcm[160:] {
			if heard, ok := f.Frame(pcm[:160]); ok {
				got = heard
			}
		}
		if got != tt.want {
			t.Errorf("%s: %q", tt.name, got)
		}
	}
}

func TestTimeRunsOut(t *testing.T) {
	p := NewProgress(Timing{MaxPreConnect: time.Second})
	if got := outcomes(p, make([]int16, 2*rate)); len(got) != 1 || got[0] != Undetermined {
		t.Errorf("before the answer: %v", got)
	}
	p = NewProgress(Timing{MaxPostConnect: time.Second, VoicePause: time.Hour, MachineGreet: time.Hour})
	p.Connected()
	if got := outcomes(p, words(500, 3000)); len(got) != 1 || got[0] != Undetermined {
		t.Errorf("after the answer: %v", got)
	}
}

func TestVoice(t *testing.T) {
	pcm := words(1000, 1000)
	for i := range pcm {
		pcm[i] += int16(rand.NormFloat64() * tone.Amplitude(-52))
	}
	var v Voice
	var spoken, longest time.Duration
	for ; len(pcm) >= 160; pcm = pcm[160:] {
		if v.Frame(pcm[:160]) {
			spoken += frame
		}
		longest = max(longest, v.Lasts())
	}
	if spoken < 800*ms || spoken > 1100*ms || longest < 200*ms {
		t.Errorf("%s of speech in a second, %s without a pause", spoken, longest)
	}
}

func TestProgressDoesNotAllocate(t *testing.T) {
	p, pcm := NewProgress(DefaultTiming()), vowels(1, 1)[:160]
	if n := testing.AllocsPerRun(20, func() { p.Frame(pcm) }); n != 0 {
		t.Errorf("%g allocations", n)
	}
}

func BenchmarkProgress(b *testing.B) {
	p, pcm := NewProgress(Timing{}), vowels(1, 1)[:160]
	for b.Loop() {
		p.Frame(pcm)
	}
}
