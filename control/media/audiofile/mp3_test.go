package audiofile_test

import (
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"mcp/control/media/audiofile"
	"mcp/control/media/measure"
	"mcp/control/media/resample"
)

// program finds one of Debian's, which CI has.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("needs %s, and in CI nothing is skipped for that", name)
		}
		t.Skipf("needs %s", name)
	}
	return path
}

// spoken are two seconds at a rate that move like speech: a sweep that comes and goes
// over a little noise.
func spoken(rate int) []int16 {
	r := rand.New(rand.NewPCG(2, 5))
	out := make([]int16, 2*rate)
	phase := 0.0
	for i := range out {
		t := float64(i) / float64(rate)
		phase += 2 * math.Pi * (250 + 1200*t) / float64(rate)
		out[i] = int16(6000*(1+math.Sin(2*math.Pi*4*t))*math.Sin(phase) + 200*r.NormFloat64())
	}
	return out
}

func littleEndian(pcm []int16) (out []byte) {
	for _, s := range pcm {
		out = binary.LittleEndian.AppendUint16(out, uint16(s))
	}
	return out
}

// args are options of a program.
type args = []string

// lame makes an MP3 of a recording in one channel or two, as its options say.
func lame(t *testing.T, rate int, options ...string) string {
	t.Helper()
	in, out := filepath.Join(t.TempDir(), "x.raw"), filepath.Join(t.TempDir(), "x.mp3")
	pcm := spoken(rate)
	if slices.Contains(options, "j") { // both channels the same
		both := make([]int16, 2*len(pcm))
		for i := range both {
			both[i] = pcm[i/2]
		}
		pcm = both
	}
	if err := os.WriteFile(in, littleEndian(pcm), 0o600); err != nil {
		t.Fatal(err)
	}
	khz := strconv.FormatFloat(float64(rate)/1000, 'f', -1, 64)
	line := append(args{"--quiet", "-r", "-s", khz, "--resample", khz}, options...)
	if text, err := exec.Command(program(t, "lame"), append(line, in, out)...).CombinedOutput(); err != nil {
		t.Fatalf("lame: %v: %s", err, text)
	}
	return out
}

// heardBy is what another decoder makes of a file, at 8 kHz.
func heardBy(t *testing.T, path string, rate int) []int16 {
	t.Helper()
	raw, err := exec.Command(program(t, "mpg123"), "-q", "-s", "-m", "-e", "s16", path).Output()
	if err != nil {
		t.Fatalf("mpg123: %v", err)
	}
	pcm := make([]int16, len(raw)/2)
	for i := range pcm {
		pcm[i] = int16(binary.LittleEndian.Uint16(raw[2*i:]))
	}
	return resample.Whole(pcm, rate, audiofile.Rate)
}

// MP3 of every low rate sounds as another decoder has it.
func TestLowMP3IsHeard(t *testing.T) {
	one, two := []string{"-m", "m"}, []string{"-m", "j"}
	for _, tt := range []struct {
		rate    int
		options []string
	}{
		{11025, slices.Concat(one, args{"-b", "16"})}, {12000, slices.Concat(one, args{"-b", "24"})}, {12000, slices.Concat(two, args{"-b", "32"})},
		{16000, slices.Concat(one, args{"-b", "16"})}, {24000, slices.Concat(one, args{"-b", "32"})},
		{22050, slices.Concat(one, args{"-b", "16"})}, {22050, slices.Concat(one, args{"-b", "32"})}, {22050, slices.Concat(one, args{"-b", "40"})},
		{22050, slices.Concat(one, args{"-b", "64"})}, {22050, slices.Concat(one, args{"-V", "5"})}, {22050, slices.Concat(two, args{"-b", "80"})},
		{22050, slices.Concat(one, args{"-b", "32", "-p", "--tt", "a title"})}, {44100, slices.Concat(two, args{"-b", "64"})},
	} {
		path := lame(t, tt.rate, tt.options...)
		file, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		got, err := audiofile.Decode("audio/mpeg", file)
		if err != nil {
			t.Errorf("%d Hz %v: %v", tt.rate, tt.options, err)
			continue
		}
		want := heardBy(t, path, tt.rate)
		wantSame(t, strconv.Itoa(tt.rate)+" Hz", want, got)
	}
}

// wantSame compares what is heard, whichever of the two leaves out more of the coder's
// delay at the beginning. That may be by a part of a sample, which costs some of the match.
func wantSame(t *testing.T, what string, want, got []int16) {
	t.Helper()
	const most = 300 * time.Millisecond
	later, match := measure.Delay(want, got, audiofile.Rate, most)
	n := int(later * audiofile.Rate / time.Second)
	got = got[min(n, len(got)):]
	both := min(len(want), len(got))
	if both < 3*audiofile.Rate/2 || match < 0.85 || measure.Distance(want[:both], got[:both]) > 1 {
		t.Errorf("%s: %d samples match by %.3f, %.2f dB apart", what, both, match, measure.Distance(want[:both], got[:both]))
	}
}

func TestLowestMP3IsRefused(t *testing.T) {
	file, err := os.ReadFile(lame(t, 8000, "-m", "m", "-b", "8"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := audiofile.Decode("audio/mpeg", file); !errors.Is(err, audiofile.ErrUnsupported) {
		t.Errorf("%v", err)
	}
}
