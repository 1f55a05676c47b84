package measure

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"mcp/control/media/codec"
	"mcp/control/media/tone"
)

const rate = 8000

// chirp rises from 300 to 3000 Hz within a second.
func chirp() []int16 {
	out := make([]int16, rate)
	for i := range out {
		t := float64(i) / rate
		out[i] = int16(8000 * math.Sin(2*math.Pi*(300*t+1350*t*t)))
	}
	return out
}

func TestLevels(t *testing.T) {
	pcm := tone.PCM(rate, tone.Part{Hz: []float64{1000}, Level: -10, For: time.Second})
	if l := Level(pcm); math.Abs(l+10) > 0.2 {
		t.Errorf("-10 dBm0 is %.2f", l)
	}
	if on, off := Tone(pcm, rate, 1000), Tone(pcm, rate, 1300); math.Abs(on+10) > 0.2 || off > -50 {
		t.Errorf("the tone is %.1f, another %.1f", on, off)
	}
	if l := Level(make([]int16, 100)); l != -100 {
		t.Errorf("silence is %.1f", l)
	}
}

func TestGapsAndClicks(t *testing.T) {
	pcm := tone.PCM(rate, tone.Part{Hz: []float64{400}, Level: -10, For: time.Second})
	if g, c := Gaps(pcm, rate, -60, 10*time.Millisecond), Clicks(pcm); len(g) != 0 || c != 0 {
		t.Errorf("a tone has gaps %v and %d clicks", g, c)
	}
	clear(pcm[4000:4160])
	g := Gaps(pcm, rate, -60, 10*time.Millisecond)
	if len(g) != 1 || g[0].At < 499*time.Millisecond || g[0].Length < 19*time.Millisecond || g[0].Length > 22*time.Millisecond {
		t.Errorf("gaps are %v", g)
	}
	pcm[2000] += 9000
	if c := Clicks(pcm[:3000]); c != 1 {
		t.Errorf("%d clicks", c)
	}
}

func TestDelay(t *testing.T) {
	said := chirp()
	heard := append(make([]int16, 1234), said...)
	if d, like := Delay(said[:4000], heard, rate, 300*time.Millisecond); d != 154250*time.Microsecond || like < 0.999 {
		t.Errorf("delay is %s, likeness %.3f", d, like)
	}
}

func TestDistance(t *testing.T) {
	said := chirp()
	law, err := codec.PCMU.Encode(said)
	if err != nil {
		t.Fatal(err)
	}
	coded, _ := codec.PCMU.Decode(law)
	noise := make([]int16, len(said))
	for i := range noise {
		noise[i] = int16(rand.IntN(16000) - 8000)
	}
	for _, tt := range []struct {
		what        string
		heard       []int16
		least, most float64
	}{{"the same", said, 0, 0}, {"G.711", coded, 0, 2}, {"noise", noise, 6, 100}, {"nothing", make([]int16, len(said)), 20, 200}} {
		if d := Distance(said, tt.heard); d < tt.least || d > tt.most {
			t.Errorf("%s: %.2f dB", tt.what, d)
		}
	}
}
