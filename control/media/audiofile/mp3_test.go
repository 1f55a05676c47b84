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

// lame makes an MP3 of a recording, in one channel or, as its options say, two.
func lame(t *testing.T, rate int, options ...string) string {
	t.Helper()
	in, out := filepath.Join(t.TempDir(), "x.raw"), filepath.Join(t.TempDir(), "x.mp3")
	pcm := spoken(rate)
	if slices.Contains(options, "j") || slices.Contains(options, "s") {
		pcm = beside(pcm)
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

// beside is a recording in two channels, with noise of its own in the second that comes
// and goes: it takes what a coder has saved before, and they have little in common.
func beside(pcm []int16) []int16 {
	const often = 2000 // samples
	r := rand.New(rand.NewPCG(6, 4))
	both := make([]int16, 0, 2*len(pcm))
	for i, s := range pcm {
		loud := 100.0
		if i%often > often*3/4 {
			loud = 6000
		}
		both = append(both, s, s/2+int16(loud*r.NormFloat64()))
	}
	return both
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

// MP3 of every rate but the lowest sounds as another decoder has it, at the bitrates that
// leave a frame the least and the most room, in one channel and in two.
func TestMP3IsHeard(t *testing.T) {
	for _, tt := range []struct {
		rate, mode string
		bitrates   []string // kbit/s
	}{
		{"11025", "m", args{"8", "16"}}, {"11025", "s", args{"64"}}, {"12000", "m", args{"24"}}, {"12000", "j", args{"32", "64"}},
		{"16000", "m", args{"8", "16", "160"}}, {"16000", "s", args{"160"}},
		{"22050", "m", args{"8", "32", "40", "160"}}, {"22050", "j", args{"8", "80", "160"}}, {"22050", "s", args{"16", "128", "144", "160"}},
		{"24000", "m", args{"32"}}, {"24000", "s", args{"8", "160"}},
		{"32000", "m", args{"32"}}, {"44100", "j", args{"64"}}, {"44100", "s", args{"320"}}, {"48000", "j", args{"128"}},
	} {
		for _, bitrate := range tt.bitrates {
			t.Run(tt.rate+"/"+tt.mode+"/"+bitrate, func(t *testing.T) {
				t.Parallel()
				wantHeard(t, tt.rate, "-m", tt.mode, "-b", bitrate)
			})
		}
	}
}

// What else a file may have, or have otherwise from frame to frame, does not matter.
func TestMP3OfEveryKindIsHeard(t *testing.T) {
	for name, options := range map[string]args{
		"variable": {"-m", "m", "-V", "5"}, "variable, most": {"-m", "s", "-V", "0"}, "average": {"-m", "j", "--abr", "90"},
		"no reservoir": {"-m", "s", "-b", "160", "--nores"}, "checked and with a title": {"-m", "m", "-b", "32", "-p", "--tt", "a title"},
		"checked, most": {"-m", "s", "-b", "160", "-p"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantHeard(t, "22050", options...)
		})
	}
}

func wantHeard(t *testing.T, hz string, options ...string) {
	t.Helper()
	rate, err := strconv.Atoi(hz)
	if err != nil {
		t.Fatal(err)
	}
	path := lame(t, rate, options...)
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got, err := audiofile.Decode("audio/mpeg", file)
	if err != nil {
		t.Fatal(err)
	}
	wantSame(t, hz+" Hz", heardBy(t, path, rate), got)
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
	if both < 3*audiofile.Rate/2 || match < 0.8 || measure.Distance(want[:both], got[:both]) > 1 {
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
