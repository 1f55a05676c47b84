package media_test

import (
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"mcp/control/media/audiofile"
	"mcp/control/media/codec"
	"mcp/control/media/measure"
	"mcp/control/media/record"
	"mcp/control/media/resample"
	"mcp/control/media/tone"
)

// way is a path that audio takes through the platform, from who says it to who hears
// it.
type way struct {
	name    string
	in, out int      // the rates in Hz of what is said and of what is heard
	via     []string // the codecs on the way
	// carry is what is heard of what is said.
	carry func(t *testing.T, said []int16) []int16
}

// TestEveryPath pushes tones, a chirp and speech through every path: played, bridged
// between each two codecs, mixed, recorded in each format, encrypted and opened by
// openssl, and protected on the wire. What comes out is what went in: it is found at
// one delay throughout, as loud, without gap or click, and with the same spectrum, as
// closely as the codecs on the way can keep it.
func TestEveryPath(t *testing.T) {
	said := utterances(t)
	for _, w := range slices.Concat(played(), bridges(), mixes(), recordings(newOwner(t)), protections()) {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			for _, u := range said {
				if u.rate > min(w.in, w.out) {
					continue
				}
				heard := w.carry(t, resample.Whole(u.pcm, codec.Wideband, w.in))
				w.judge(t, u, heard)
			}
		})
	}
}

// utterance is what is said, at 16 kHz.
type utterance struct {
	name string
	pcm  []int16
	rate int  // at which it is judged
	even bool // it has no pauses
}

// utterances are those that are pushed through every path.
func utterances(t *testing.T) []utterance {
	const length = 6 * codec.Wideband / 5
	tones := tone.PCM(codec.Wideband, tone.Part{Hz: []float64{440, 1130}, Level: -16, For: 1200 * time.Millisecond})
	return []utterance{
		{"tones", tones, codec.Narrowband, true},
		{"a chirp", chirp(length, 200, 3300), codec.Narrowband, true},
		{"a wide chirp", chirp(length, 2000, 6800), codec.Wideband, true},
		{"speech", speech(t)[:length], codec.Narrowband, false},
	}
}

// chirp is a tone that rises, at 16 kHz.
func chirp(samples int, from, to float64) []int16 {
	pcm := make([]int16, samples)
	for i := range pcm {
		s := float64(i) / codec.Wideband
		rise := (to - from) * codec.Wideband / float64(samples)
		pcm[i] = int16(tone.Amplitude(-12) * math.Sin(2*math.Pi*(from*s+rise*s*s/2)))
	}
	return pcm
}

// speech is a synthesized voice's.
func speech(t *testing.T) []int16 {
	t.Helper()
	path := filepath.Join(t.TempDir(), "speech.wav")
	err := exec.Command("flite", "-voice", "slt", "-t", "The rainbow is a division of white light", "-o", path).Run()
	if errors.Is(err, exec.ErrNotFound) {
		t.Skip("flite is not installed")
	}
	must(t, err)
	file, err := os.ReadFile(path)
	must(t, err)
	pcm, err := audiofile.Decode("audio/wav", file)
	must(t, err)
	for i := range pcm {
		pcm[i] /= 2
	}
	return resample.Whole(pcm, codec.Narrowband, codec.Wideband)
}

// fidelity is how well codecs keep what they code.
type fidelity struct {
	likeness float64 // least, of a voice's waveform: 1 is the same
	distance float64 // most, of the spectrum, in dB
	level    float64 // most that is lost or won of it, in dB
}

// fidelityOf is that of a codec's name. Those that were made for voices keep tones badly.
func fidelityOf(name string) fidelity {
	switch name {
	case codec.GSM.Name:
		return fidelity{0.98, 4.2, 2.8}
	case codec.G729.Name, codec.AMR.Name:
		return fidelity{0.6, 7, 5}
	case codec.Opus.Name, string(record.Ogg):
		return fidelity{0.9, 2.6, 0.3}
	case string(record.MP3):
		return fidelity{0.96, 1.2, 0.3}
	}
	return fidelity{0.999, 0.5, 0.3}
}

// allows is what may be lost on the way.
func (w way) allows() fidelity {
	all := fidelity{likeness: 1}
	for _, name := range w.via {
		f := fidelityOf(name)
		all = fidelity{all.likeness * f.likeness, all.distance + f.distance, all.level + f.level}
	}
	return all
}

// latest is how late, in 8 kHz, something may be heard: MP3 alone takes 130 ms.
const latest = 200 * time.Millisecond

// judge holds what is heard against what was said.
func (w way) judge(t *testing.T, u utterance, heard []int16) {
	t.Helper()
	said := resample.Whole(u.pcm, codec.Wideband, u.rate)
	heard = resample.Whole(heard, w.out, u.rate)
	n, room, allowed := u.rate/4, int(latest*time.Duration(u.rate)/time.Second), w.allows()
	heard = append(heard, make([]int16, max(0, len(said)+room-len(heard)))...)
	delay, like := measure.Delay(said[n:2*n], heard[n:], u.rate, latest)
	at := int(delay * time.Duration(u.rate) / time.Second)
	if !u.even {
		if like < allowed.likeness {
			t.Errorf("%s: what is heard is like what was said by %.3f, want %.3f", u.name, like, allowed.likeness)
		}
		w.inTime(t, said[3*n:4*n], heard[3*n:], at)
	}
	part := said[n/2 : len(said)-max(n/2, at)] // at the end codecs still hold something
	same := heard[n/2+at:][:len(part)]
	if d := measure.Distance(part, same); d > allowed.distance {
		t.Errorf("%s: the spectra are %.2f dB apart, at most %.2f are allowed", u.name, d, allowed.distance)
	}
	if l := measure.Level(same) - measure.Level(part); math.Abs(l) > allowed.level {
		t.Errorf("%s: the level has changed by %.2f dB, at most %.2f are allowed", u.name, l, allowed.level)
	}
	if gaps := measure.Gaps(same, u.rate, -40, 4*time.Millisecond); u.even && len(gaps) > 0 {
		t.Errorf("%s: gaps %v", u.name, gaps)
	}
	if clicks := measure.Clicks(same); clicks > 0 {
		t.Errorf("%s: %d clicks", u.name, clicks)
	}
}

// inTime holds a later part of what is heard, at 8 kHz, to the delay that an earlier one
// had.
func (w way) inTime(t *testing.T, said, heard []int16, delay int) {
	t.Helper()
	const near, most = 16, 4 // samples
	from := max(0, delay-near)
	later, _ := measure.Delay(said, heard[from:], codec.Narrowband, 2*near*time.Second/codec.Narrowband)
	if moved := from + int(later*codec.Narrowband/time.Second) - delay; moved < -most || moved > most {
		t.Errorf("half a second on, the delay has changed by %d samples", moved)
	}
}
