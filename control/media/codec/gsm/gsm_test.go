package gsm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"testing"
)

// sox runs the program, which has a coder of its own hand, on what is put in.
func sox(t *testing.T, in []byte, args ...string) []byte {
	t.Helper()
	path, err := exec.LookPath("sox")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("needs sox, and in CI nothing is skipped for that")
		}
		t.Skip("needs sox")
	}
	cmd := exec.Command(path, append([]string{"-D", "-V1"}, args...)...)
	cmd.Stdin = bytes.NewReader(in)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("sox %v: %v", args, err)
	}
	return out
}

// sounds are what tries each part of the coder: a few seconds each, in whole frames.
func sounds() map[string][]int16 {
	const n = 200 * Samples
	r := rand.New(rand.NewPCG(6, 10))
	noise, loud, sweep, square, steps, quiet := make([]int16, n), make([]int16, n), make([]int16, n), make([]int16, n), make([]int16, n), make([]int16, n)
	for i := range n {
		noise[i] = int16(r.NormFloat64() * 2000)
		loud[i] = int16(r.IntN(1<<16) - 1<<15)
		phase := 2 * math.Pi * float64(i) / 8000 * (100 + 3000*float64(i)/n/2)
		sweep[i] = int16(20000 * math.Sin(phase))
		square[i] = math.MaxInt16
		if i/37%2 == 0 {
			square[i] = math.MinInt16
		}
		steps[i] = int16(i / 4000 * 4000)
		quiet[i] = int16(r.IntN(9) - 4)
	}
	return map[string][]int16{
		"noise": noise, "full scale": loud, "sweep": sweep, "square": square, "steps": steps, "next to nothing": quiet,
		"silence": make([]int16, n),
	}
}

func encode(pcm []int16) (out []byte) {
	var e Encoder
	for ; len(pcm) >= Samples; pcm = pcm[Samples:] {
		out = e.Append(out, pcm)
	}
	return out
}

func decode(t *testing.T, in []byte) (out []int16) {
	t.Helper()
	var d Decoder
	for ; len(in) > 0; in = in[Octets:] {
		var err error
		if out, err = d.Append(out, in); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func octets(pcm []int16) (out []byte) {
	for _, s := range pcm {
		out = binary.LittleEndian.AppendUint16(out, uint16(s))
	}
	return out
}

var linear = []string{"-t", "raw", "-r", "8000", "-e", "signed", "-b", "16", "-c", "1", "-L", "-"}

// Every bit is that of another hand's coder and decoder.
func TestBitExact(t *testing.T) {
	for name, pcm := range sounds() {
		t.Run(name, func(t *testing.T) {
			want := sox(t, octets(pcm), append(slices.Clone(linear), "-t", "gsm", "-")...)
			got := encode(pcm)
			if !bytes.Equal(got, want) {
				t.Fatalf("encoded: %d of %d octets, frame %d differs", len(got), len(want), differs(got, want)/Octets)
			}
			heard := sox(t, want, append([]string{"-t", "gsm", "-"}, linear...)...)
			if ours := octets(decode(t, want)); !bytes.Equal(ours, heard) {
				t.Errorf("decoded: %d of %d octets, sample %d differs", len(ours), len(heard), differs(ours, heard)/2)
			}
		})
	}
}

// Frames of any bits decode as another hand's decoder has it.
func TestAnyFrameDecodesBitExact(t *testing.T) {
	r := rand.New(rand.NewPCG(33, 13))
	frames := make([]byte, 500*Octets)
	for i := range frames {
		frames[i] = byte(r.Uint32())
		if i%Octets == 0 {
			frames[i] = signature<<4 | frames[i]&0xf
		}
	}
	heard := sox(t, frames, append([]string{"-t", "gsm", "-"}, linear...)...)
	if ours := octets(decode(t, frames)); !bytes.Equal(ours, heard) {
		t.Errorf("%d of %d octets, sample %d differs", len(ours), len(heard), differs(ours, heard)/2)
	}
}

func differs(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

func TestWhatIsNoFrame(t *testing.T) {
	var d Decoder
	for _, frame := range [][]byte{nil, {signature << 4}, make([]byte, Octets)} {
		if pcm, err := d.Append(nil, frame); !errors.Is(err, ErrFrame) || len(pcm) != 0 {
			t.Errorf("%x: %d samples, %v", frame, len(pcm), err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(encode(make([]int16, 2*Samples)))
	f.Fuzz(func(t *testing.T, frames []byte) {
		var d Decoder
		for ; len(frames) >= Octets; frames = frames[Octets:] {
			pcm, err := d.Append(nil, frames)
			if (err == nil) != (len(pcm) == Samples) {
				t.Fatalf("%d samples, %v", len(pcm), err)
			}
		}
	})
}
