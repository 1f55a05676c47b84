package detect

import (
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"mcp/control/media/audiofile"
	"mcp/control/media/codec"
	"mcp/control/media/tone"
)

const ms = time.Millisecond

// press is a press of a key with what a test changes about it.
type press struct {
	row, column float64 // factors of the frequencies
	rowLevel    float64
	columnLevel float64
	length      time.Duration
}

// render is the press with silence around it, so that it begins anywhere in a block.
func (p press) render(key byte, before time.Duration) []int16 {
	part, _ := tone.Key(key, 0, 0)
	n := int(p.length * rate / time.Second)
	out := make([]int16, int(before*rate/time.Second), 4*rate)
	for i := range n {
		v := tone.Amplitude(p.rowLevel)*math.Sin(2*math.Pi*part.Hz[0]*p.row*float64(i)/rate) +
			tone.Amplitude(p.columnLevel)*math.Sin(2*math.Pi*part.Hz[1]*p.column*float64(i)/rate)
		out = append(out, int16(math.Max(-32768, math.Min(32767, v))))
	}
	return append(out, make([]int16, 800)...)
}

const allKeys = "0123456789*#ABCD"

// taken counts the presses that are found, of all keys and 7 beginnings each.
func (p press) taken() (found, of int) {
	for i := range len(allKeys) {
		for shift := range 7 {
			of++
			got := NewKeys().Append(nil, p.render(allKeys[i], 20*ms+time.Duration(shift)*2*ms))
			if string(got) == allKeys[i:i+1] {
				found++
			} else if len(got) > 0 {
				found += 1000 // the wrong one
			}
		}
	}
	return found, of
}

// TestLimitsOfQ24 holds the detector to ITU-T Q.24: what must be taken for a key,
// and what must not.
func TestLimitsOfQ24(t *testing.T) {
	plain := press{1, 1, -10, -10, 50 * ms}
	with := func(change func(*press)) press { p := plain; change(&p); return p }
	for _, tt := range []struct {
		name  string
		press press
		taken bool
	}{
		{"plain", plain, true},
		{"40 ms", with(func(p *press) { p.length = 40 * ms }), true},
		{"20 ms", with(func(p *press) { p.length = 20 * ms }), false},
		{"loud", with(func(p *press) { p.rowLevel, p.columnLevel = -3, -3 }), true},
		{"faint", with(func(p *press) { p.rowLevel, p.columnLevel = -25, -25 }), true},
		{"too faint", with(func(p *press) { p.rowLevel, p.columnLevel = -50, -50 }), false},
		{"both high", with(func(p *press) { p.row, p.column = 1.017, 1.017 }), true},
		{"both low", with(func(p *press) { p.row, p.column = 0.983, 0.983 }), true},
		{"one each way", with(func(p *press) { p.row, p.column = 0.983, 1.017 }), true},
		{"row too high", with(func(p *press) { p.row = 1.035 }), false},
		{"row too low", with(func(p *press) { p.row = 0.965 }), false},
		{"column too high", with(func(p *press) { p.column = 1.035 }), false},
		{"column too low", with(func(p *press) { p.column = 0.965 }), false},
		{"column 4 dB up", with(func(p *press) { p.rowLevel = -14 }), true},
		{"row 8 dB up", with(func(p *press) { p.columnLevel = -18 }), true},
		{"column 12 dB up", with(func(p *press) { p.rowLevel = -22 }), false},
		{"row 16 dB up", with(func(p *press) { p.columnLevel = -26 }), false},
		{"one tone", with(func(p *press) { p.columnLevel = -100 }), false},
	} {
		found, of := tt.press.taken()
		if want := map[bool]int{true: of}[tt.taken]; found != want {
			t.Errorf("%s: %d of %d are taken, want %d", tt.name, found, of, want)
		}
	}
}

// A string of digits, coded, beside noise down to 15 dB below it, as short as ITU-T Q.24
// lets presses and pauses be, and with short breaks, is heard as it was pressed.
func TestStringsOfKeys(t *testing.T) {
	const keys = "1123580*#ABCD7799"
	parts, err := tone.Keys(keys, -12, 60*ms, 50*ms)
	if err != nil {
		t.Fatal(err)
	}
	quick, err := tone.Keys(keys, -12, 40*ms, 40*ms)
	if err != nil {
		t.Fatal(err)
	}
	clean := tone.PCM(rate, parts...)
	noisy := make([]int16, len(clean))
	r, noise := rand.New(rand.NewPCG(7, 8)), tone.Amplitude(-24)/math.Sqrt2 // the two tones together have -9 dBm0
	for i, s := range clean {
		noisy[i] = s + int16(r.NormFloat64()*noise)
	}
	law, _ := codec.PCMA.Encode(clean)
	coded, _ := codec.PCMA.Decode(law)
	broken := append([]int16(nil), clean...)
	for at := 320; at+60 < len(broken); at += 880 { // 7 ms within each press
		clear(broken[at : at+56])
	}
	for what, pcm := range map[string][]int16{"clean": clean, "noisy": noisy, "coded": coded, "broken": broken, "quick": tone.PCM(rate, quick...)} {
		k := NewKeys()
		var got []byte
		for ; len(pcm) > 0; pcm = pcm[min(160, len(pcm)):] {
			got = k.Append(got, pcm[:min(160, len(pcm))])
		}
		if string(got) != keys {
			t.Errorf("%s: %q, want %q", what, got, keys)
		}
	}
}

// vowels is what a voice sounds like to a detector: a pitch that wanders, with
// formants that wander, too.
func vowels(seconds int, seed uint64) []int16 {
	r := rand.New(rand.NewPCG(seed, 1))
	out := make([]int16, seconds*rate)
	var phase float64
	pitch, glide, formants := 120.0, 0.0, [3]float64{500, 1300, 2400}
	for i := range out {
		pitch += glide
		if i%400 == 0 {
			glide = (math.Max(80, math.Min(300, pitch+r.NormFloat64()*15)) - pitch) / 400
			for f, span := range [3][2]float64{{300, 900}, {900, 2200}, {2100, 3200}} {
				formants[f] = math.Max(span[0], math.Min(span[1], formants[f]+r.NormFloat64()*120))
			}
		}
		phase += 2 * math.Pi * pitch / rate
		var v float64
		for h := 1; float64(h)*pitch < 3400; h++ {
			gain := 0.0
			for f, centre := range formants {
				gain += 1 / (1 + math.Pow((float64(h)*pitch-centre)/90, 2)) / float64(f+1)
			}
			v += gain * math.Sin(phase*float64(h))
		}
		out[i] = int16(5000 * v)
	}
	return out
}

// TestVoicesAreNoKeys takes synthetic vowels, whose pure harmonics are the worst
// that a voice can do, for a key at most once in half a minute, and speech never.
func TestVoicesAreNoKeys(t *testing.T) {
	var taken []byte
	for seed := range uint64(3) {
		taken = NewKeys().Append(taken, vowels(8, seed))
	}
	if len(taken) > 1 {
		t.Errorf("%q in 24 seconds of vowels", taken)
	}
	flite, err := exec.LookPath("flite")
	if err != nil {
		t.Log("flite is not installed")
		return
	}
	path := filepath.Join(t.TempDir(), "speech.wav")
	const text = "The rainbow is a division of white light into many beautiful colors. These take the shape of a long round arch, " +
		"with its path high above, and its two ends apparently beyond the horizon. Oh no, please do not go there, says the mayor of Rome to Joe."
	for _, voice := range []string{"kal", "slt", "rms", "awb"} {
		if err := exec.Command(flite, "-voice", voice, "-t", text, "-o", path).Run(); err != nil {
			t.Logf("voice %s: %v", voice, err)
			continue
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		pcm, err := audiofile.Decode("audio/wav", data)
		if err != nil {
			t.Fatal(err)
		}
		if got := NewKeys().Append(nil, pcm); len(got) > 0 {
			t.Errorf("%s says %q", voice, got)
		}
	}
}

func TestKeysDoNotAllocate(t *testing.T) {
	k, pcm, keys := NewKeys(), vowels(1, 1), make([]byte, 0, 8)
	if n := testing.AllocsPerRun(10, func() { keys = k.Append(keys[:0], pcm) }); n != 0 {
		t.Errorf("%g allocations", n)
	}
}

func BenchmarkKeys(b *testing.B) {
	k, pcm := NewKeys(), vowels(1, 1)[:160]
	for b.Loop() {
		k.Append(nil, pcm)
	}
}
