package conference

import (
	"fmt"
	"testing"
	"time"

	"mcp/control/media/codec"
	"mcp/control/media/measure"
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
// keeps what it had from another encoder, which a voice's first pause ends.
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
