package conference

import (
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"mcp/control/media/audiofile"
	"mcp/control/media/codec"
	"mcp/control/media/measure"
	"mcp/control/media/resample"
)

// Two are relayed; a third has all mixed, and when it goes they are relayed again.
// Each far end gets one stream throughout.
func TestTwoAreRelayed(t *testing.T) {
	h := newHall(t, Options{})
	a, b := h.enter(codec.PCMU, 440, Member{}), h.enter(codec.PCMU, 700, Member{})
	h.turn(50)
	if h.Mixed() {
		t.Error("two are mixed")
	}
	h.hears(a, 700)
	h.hears(b, 440)
	relayed := len(a.Packets())
	if p := a.Packets()[relayed-1]; !p.Relayed {
		t.Error("the plane does not relay")
	}
	c := h.enter(codec.PCMU, 1100, Member{})
	h.turn(75)
	if !h.Mixed() {
		t.Error("three are not mixed")
	}
	h.hears(a, 700, 1100)
	h.hears(c, 440, 700)
	h.must(h.Leave("2"))
	h.turn(50)
	if p := a.Packets(); h.Mixed() || !p[len(p)-1].Relayed {
		t.Error("two are not relayed again")
	}
	h.hears(a, 700)
	for _, g := range []*guest{a, b} {
		if at := g.Broken(); at != 0 {
			t.Errorf("%g Hz: the stream breaks at packet %d", g.hz, at)
		}
	}
	stop, err := h.Listen(&tape{})
	h.must(err)
	if !h.Mixed() {
		t.Error("two who are listened to are relayed")
	}
	stop()
	if h.Mixed() {
		t.Error("two are mixed though nobody listens any more")
	}
}

// What is said is heard without a gap, a click or a repetition while those who hear each
// other are relayed, mixed and relayed again. GSM is not tried: of a pure tone its decoder
// keeps what it had from another encoder, which no voice lets it (see
// TestVoicesAreRelayedAndMixed).
func TestRelaysAndMixesFollowEachOther(t *testing.T) {
	for _, c := range []codec.Codec{codec.PCMU, codec.PCMA, codec.G722, codec.Opus} {
		h := newHall(t, Options{})
		a, b := h.enter(c, 440, Member{}), h.enter(c, 700, Member{})
		const rounds = 3
		for n := range rounds {
			h.turn(50)
			third := h.call(c, frame, 0)
			h.must(h.Join(third.leg, Member{ID: fmt.Sprint("third", n)}))
			h.turn(50)
			h.must(h.Leave(fmt.Sprint("third", n)))
		}
		h.turn(50)
		for _, g := range []*guest{a, b} {
			packets := g.Packets()
			if p := packets[len(packets)-1]; !p.Relayed || g.Broken() != 0 {
				t.Errorf("%s, %g Hz: the last packet is %+v, and the stream breaks at %d", c.Name, g.hz, p.Header, g.Broken())
			}
			pcm, err := g.Heard(0)
			h.must(err)
			rate := c.SampleRate()
			pcm = pcm[rate/5:]
			if gaps := measure.Gaps(pcm, rate, -30, 4*time.Millisecond); len(gaps) > 0 {
				t.Errorf("%s, %g Hz hears gaps: %v", c.Name, g.hz, gaps)
			}
			if n := measure.Clicks(pcm); n > 0 {
				t.Errorf("%s, %g Hz hears %d clicks", c.Name, g.hz, n)
			}
			// Each time the mixer begins it stands in for a frame or two.
			if over := time.Duration(len(pcm)+rate/5-g.said) * time.Second / time.Duration(rate); over < -frame || over > rounds*2*frame {
				t.Errorf("%s, %g Hz hears %s more than was said", c.Name, g.hz, over)
			}
		}
	}
}

// Voices are heard as well across the same hand-overs in codecs whose decoders keep much of
// what was before: without a click, and a fifth of a second later as they were said.
func TestVoicesAreRelayedAndMixed(t *testing.T) {
	said := voice(t)
	for _, tt := range []struct {
		codec    codec.Codec
		distance float64 // most, in dB, of what was coded twice
	}{{codec.GSM, 6}, {codec.Opus, 4}} {
		c, rate := tt.codec, tt.codec.SampleRate()
		h := newHall(t, Options{})
		a, b := h.enter(c, 0, Member{}), h.enter(c, 0, Member{})
		third := h.call(c, frame, 0)
		pcm, n := resample.Whole(said, codec.Narrowband, rate), rate/50
		var handed []int
		for at := 0; (at+1)*n <= len(pcm); at++ {
			switch at % 74 {
			case 36:
				h.must(h.Join(third.leg, Member{ID: "third"}))
				handed = append(handed, at)
			case 0:
				if at > 0 {
					h.must(h.Leave("third"))
					handed = append(handed, at)
				}
			}
			h.must(errors.Join(a.Say(pcm[at*n:(at+1)*n]), b.Say(make([]int16, n))))
			h.Tick()
		}
		heard, err := b.Heard(0)
		h.must(err)
		heard = resample.Whole(heard, rate, codec.Narrowband)
		if clicks := measure.Clicks(heard); clicks > 0 || b.Broken() != 0 {
			t.Errorf("%s: %d clicks are heard, and the stream breaks at %d", c.Name, clicks, b.Broken())
		}
		const later, length = codec.Narrowband / 5, codec.Narrowband / 2
		for _, at := range handed {
			from := at*codec.Narrowband/50 + later
			if from+2*length > len(said) {
				break
			}
			part := said[from : from+length]
			late, _ := measure.Delay(part, heard[from:], codec.Narrowband, 200*time.Millisecond)
			same := heard[from+int(late*codec.Narrowband/time.Second):]
			same = same[:min(len(same), length)]
			level := measure.Level(same) - measure.Level(part)
			if d := measure.Distance(part, same); d > tt.distance || math.Abs(level) > 2 {
				t.Errorf("%s, handed over at frame %d: the spectra are %.1f dB apart, and the level has changed by %.1f dB", c.Name, at, d, level)
			}
		}
	}
}

// voice is what a synthesizer says, at 8 kHz.
func voice(t *testing.T) []int16 {
	t.Helper()
	path := filepath.Join(t.TempDir(), "voice.wav")
	err := exec.Command("flite", "-voice", "slt", "-t", "The rainbow is a division of white light into many beautiful colours. These take the shape of a long round arch", "-o", path).Run()
	if errors.Is(err, exec.ErrNotFound) {
		t.Skip("flite is not installed")
	}
	file, missing := os.ReadFile(path)
	pcm, bad := audiofile.Decode("audio/wav", file)
	if err := errors.Join(err, missing, bad); err != nil {
		t.Fatal(err)
	}
	for i := range pcm {
		pcm[i] /= 2
	}
	return pcm
}
