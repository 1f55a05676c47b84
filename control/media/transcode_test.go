package media_test

import (
	"log/slog"
	"math"
	"net/netip"
	"testing"
	"time"

	"mcp/control/media"
	"mcp/control/media/codec"
	"mcp/control/media/measure"
	"mcp/control/media/mediatest"
)

// A bridge between any two codecs, in packets of any length: what one says the
// other hears, as one stream.
func TestEveryPairOfCodecsIsBridged(t *testing.T) {
	codecs := append(codec.Spoken(), codec.L16)
	for _, from := range codecs {
		for _, to := range codecs {
			for _, ptime := range []time.Duration{10 * time.Millisecond, 20 * time.Millisecond, 30 * time.Millisecond, 40 * time.Millisecond, 60 * time.Millisecond} {
				bridged(t, from, to, ptime)
			}
		}
	}
}

func bridged(t *testing.T, from, to codec.Codec, ptime time.Duration) {
	t.Helper()
	plane := mediatest.NewPlane()
	engine, err := media.NewEngine(media.Config{}, plane, slog.New(slog.DiscardHandler))
	must(t, err)
	session := engine.NewSession("call")
	defer func() { session.Close(); must(t, engine.Close()) }()
	ends := map[string]*mediatest.Far{}
	legs := map[string]*media.Leg{}
	for name, c := range map[string]codec.Codec{"a": from, "b": to} {
		legs[name], err = session.OpenLeg(name, netip.MustParseAddr("127.0.0.1"))
		must(t, err)
		ends[name], err = plane.Connect(legs[name], c, map[string]time.Duration{"a": 20 * time.Millisecond, "b": ptime}[name])
		must(t, err)
	}
	must(t, session.Join(legs["a"], legs["b"]))
	n := 0
	for range 50 {
		pcm := make([]int16, from.SampleRate()/50)
		for i := range pcm {
			pcm[i] = int16(8000 * math.Sin(2*math.Pi*500*float64(n)/float64(from.SampleRate())))
			n++
		}
		must(t, ends["a"].Say(pcm))
	}
	heard, err := ends["b"].Heard(0)
	must(t, err)
	rate := to.SampleRate()
	if len(heard) < rate*9/10 {
		t.Fatalf("%s to %s, %s: %d samples of a second", from.Name, to.Name, ptime, len(heard))
	}
	if l := measure.Tone(heard[rate/4:rate*3/4], rate, 500); math.Abs(l+9.1) > 1 {
		t.Errorf("%s to %s, %s: the tone is at %.1f dBm0", from.Name, to.Name, ptime, l)
	}
	if at := ends["b"].Broken(); at != 0 {
		t.Errorf("%s to %s, %s: the stream breaks at packet %d", from.Name, to.Name, ptime, at)
	}
	last := ends["b"].Packets()[len(ends["b"].Packets())-1]
	if got := time.Duration(to.Ticks(last.Payload)) * time.Second / time.Duration(to.ClockRate); got != to.Span(ptime) && !last.Relayed {
		t.Errorf("%s to %s: packets of %s, want %s", from.Name, to.Name, got, to.Span(ptime))
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
