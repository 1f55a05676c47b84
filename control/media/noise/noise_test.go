package noise

import (
	"bytes"
	"math"
	"testing"

	"mcp/control/media/measure"
)

// of is a second of the noise that a payload describes.
func of(t testing.TB, payload []byte) []int16 {
	t.Helper()
	d, ok := Parse(payload)
	if !ok {
		t.Fatalf("%x is no description", payload)
	}
	var g Generator
	g.Follow(d)
	pcm := make([]int16, 8000)
	for at := 0; at < len(pcm); at += 160 {
		g.Fill(pcm[at : at+160])
	}
	return pcm
}

// 0 dBov is a square wave of 6.18 dBm0 (RFC 3389 section 3.1).
func TestNoiseIsAtItsLevel(t *testing.T) {
	for _, payload := range [][]byte{{20}, {40}, {60}, {40 | 0x80}, {40, 20, 200, 127}, {40, 100, 255, 254}} {
		want := 6.18 - float64(payload[0]&0x7f)
		if got := measure.Level(of(t, payload)[800:]); math.Abs(got-want) > 1 {
			t.Errorf("%v: %.1f dBm0, want %.1f", payload, got, want)
		}
	}
	for _, s := range of(t, []byte{127, 20}) {
		if s != 0 {
			t.Fatalf("noise of the lowest level has a sample of %d", s)
		}
	}
}

// A first coefficient below zero is of noise whose neighbouring samples are alike.
func TestNoiseHasItsColour(t *testing.T) {
	tests := []struct {
		name    string
		payload []byte
		alike   float64
	}{
		{"white", []byte{30}, 0},
		{"no spectrum", []byte{30, 127, 127}, 0},
		{"dark", []byte{30, 27}, 0.787},
		{"bright", []byte{30, 227}, -0.787},
		{"reserved", []byte{30, 255, 27}, 0},
	}
	for _, tt := range tests {
		pcm := of(t, tt.payload)
		var cross, energy float64
		for i := 1; i < len(pcm); i++ {
			cross += float64(pcm[i]) * float64(pcm[i-1])
			energy += float64(pcm[i]) * float64(pcm[i])
		}
		if got := cross / energy; math.Abs(got-tt.alike) > 0.05 {
			t.Errorf("%s: neighbours are alike by %.3f, want %.3f", tt.name, got, tt.alike)
		}
	}
}

// What is described sounds like what was heard.
func TestDescribeIsTheReverse(t *testing.T) {
	for _, payload := range [][]byte{{30}, {30, 27}, {45, 40, 180}, {25, 227, 150, 90}} {
		pcm := of(t, payload)
		d := Describe(pcm)
		if got := int(d.Level) - int(payload[0]); got < -1 || got > 1 {
			t.Errorf("%v: described at -%d dBov", payload, d.Level)
		}
		again := of(t, d.Append(nil))
		if far := measure.Distance(pcm, again); far > 6 { // two runs of one noise differ by some 5 dB
			t.Errorf("%v: described as %v, %.1f dB away", payload, d.Append(nil), far)
		}
	}
	if d := Describe(make([]int16, 160)); !bytes.Equal(d.Append(nil), []byte{Silent}) {
		t.Errorf("silence is described as %v", d)
	}
}

func TestParseRefusesNothing(t *testing.T) {
	if _, ok := Parse(nil); ok {
		t.Error("an empty payload describes noise")
	}
	long := bytes.Repeat([]byte{130}, 60)
	d, ok := Parse(long)
	if !ok || !bytes.Equal(d.Append(nil), append([]byte{130 & 0x7f}, long[1:1+MaxOrder]...)) {
		t.Errorf("a long description became %v", d.Append(nil))
	}
}

// A stream is left out from the eleventh quiet frame on, described at once and again
// each second, and goes on with the first frame that is not quiet.
func TestPauses(t *testing.T) {
	loud, hush := of(t, []byte{20})[:160], of(t, []byte{60})[:160]
	var p Pause
	for i := range 200 {
		payload, out := p.Frame(nil, hush)
		told := len(payload) > 0
		if out != (i >= hangover) || told != (i >= hangover && (i-hangover)%renewal == 0) {
			t.Errorf("quiet frame %d: left out %t, described %t", i, out, told)
		}
		if d, _ := Parse(payload); told && (d.Level < 57 || d.Level > 63) {
			t.Errorf("described at -%d dBov", d.Level)
		}
	}
	for i := range 3 {
		if payload, out := p.Frame(nil, loud); out || len(payload) > 0 {
			t.Errorf("loud frame %d was left out", i)
		}
	}
	if _, out := p.Frame(nil, hush); out {
		t.Error("the first quiet frame was left out")
	}
}

func TestGeneratingDoesNotAllocate(t *testing.T) {
	var g Generator
	d, _ := Parse([]byte{40, 20, 200, 127})
	pcm := make([]int16, 160)
	g.Follow(d)
	if n := testing.AllocsPerRun(100, func() { g.Follow(d); g.Fill(pcm) }); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

func BenchmarkFill(b *testing.B) {
	var g Generator
	d, _ := Parse([]byte{40, 20, 200, 127, 100, 120, 130, 90, 127, 140, 127})
	g.Follow(d)
	pcm := make([]int16, 160)
	for b.Loop() {
		g.Fill(pcm)
	}
}

// Whatever a far end describes, noise stays noise: no silence for ever, no overflow
// of the filter.
func FuzzParse(f *testing.F) {
	for _, seed := range [][]byte{{}, {40}, {0, 254, 254, 0}, {60, 255, 1}, bytes.Repeat([]byte{254}, 40)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		d, ok := Parse(payload)
		if !ok {
			return
		}
		again, ok := Parse(d.Append(nil))
		if !ok || again != d {
			t.Fatalf("%x became %+v and then %+v", payload, d, again)
		}
		var g Generator
		g.Follow(d)
		pcm := make([]int16, 1600)
		g.Fill(pcm)
		for _, v := range g.delayed {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				t.Fatalf("%x: the filter overflowed", payload)
			}
		}
	})
}
