package record

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"math"
	"net/netip"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mcp/control/media"
	"mcp/control/media/audiofile"
	"mcp/control/media/clock"
	"mcp/control/media/codec"
	"mcp/control/media/measure"
	"mcp/control/media/mediatest"
	"mcp/control/media/tone"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// deck is a call that is recorded, with a clock that the test turns.
type deck struct {
	*testing.T
	plane         *mediatest.Plane
	engine        *media.Engine
	session       *media.Session
	caller, agent *media.Leg
	ends          [2]*mediatest.Far
	said          int
}

func newDeck(t *testing.T) *deck {
	d := &deck{T: t, plane: mediatest.NewPlane()}
	var err error
	d.engine, err = media.NewEngine(media.Config{}, d.plane, slog.New(slog.DiscardHandler))
	d.must(err)
	d.session = d.engine.NewSession("call")
	for i, to := range []**media.Leg{&d.caller, &d.agent} {
		*to, err = d.session.OpenLeg([]string{"caller", "agent"}[i], netip.MustParseAddr("127.0.0.1"))
		d.must(err)
		d.ends[i], err = d.plane.Connect(*to, codec.PCMU, clock.Frame)
		d.must(err)
	}
	t.Cleanup(func() { d.session.Close(); d.must(d.engine.Close()) })
	return d
}

func (d *deck) must(err error) {
	d.Helper()
	if err != nil {
		d.Fatal(err)
	}
}

// turn lets the caller say 440 Hz and the agent 1000 Hz for so many frames.
func (d *deck) turn(r *Recorder, frames int) {
	for range frames {
		for i, hz := range []float64{440, 1000} {
			pcm := make([]int16, 160)
			for j := range pcm {
				pcm[j] = int16(tone.Amplitude(-10) * math.Sin(2*math.Pi*hz*float64(d.said+j)/8000))
			}
			d.must(d.ends[i].Say(pcm))
		}
		d.said += 160
		r.Tick()
	}
}

// still is a clock that stands still: the test calls Tick.
func still() *clock.Clock { return new(clock.Clock) }

func (d *deck) record(to io.Writer, o Options) *Recorder {
	d.Helper()
	r, err := New(still(), to, o)
	d.must(err)
	return r
}

func stop(r *Recorder) (Result, error) {
	r.Stop()
	<-r.Done()
	return r.Result()
}

func TestACallIsRecordedOneSideAChannel(t *testing.T) {
	d := newDeck(t)
	var b bytes.Buffer
	r := d.record(&b, Options{Format: Format{Container: WAV, Coding: Linear, Rate: 8000, Channels: 2}})
	d.must(d.session.Join(d.caller, d.agent))
	d.must(d.session.Join(d.agent, d.caller))
	d.must(r.Hear(0, d.caller))
	d.must(r.Overhear(1, d.caller))
	d.turn(r, 100)
	result, err := stop(r)
	if err != nil || result != (Result{Duration: 2 * time.Second, End: Stopped}) {
		t.Errorf("%+v, %v", result, err)
	}
	pcm := b.Bytes()[b.Len()-2*2*16000:]
	left, right := linear(pcm, 2), linear(pcm[2:], 2)
	for _, tt := range []struct {
		what         string
		pcm          []int16
		there, other float64
	}{{"left", left, 440, 1000}, {"right", right, 1000, 440}} {
		if l, o := measure.Tone(tt.pcm[8000:], 8000, tt.there), measure.Tone(tt.pcm[8000:], 8000, tt.other); math.Abs(l+10) > 1 || o > -45 {
			t.Errorf("%s: %.1f and %.1f dBm0", tt.what, l, o)
		}
	}
	if p := d.ends[0].Packets(); len(p) != 100 || !p[99].Relayed {
		t.Error("what is recorded is not relayed any more")
	}
}

func TestACallIsRecordedMixed(t *testing.T) {
	d := newDeck(t)
	var b bytes.Buffer
	r := d.record(&b, Options{Format: Format{Container: WAV, Coding: ALaw, Rate: 8000, Channels: 1}})
	d.must(r.Hear(0, d.caller))
	d.must(r.Hear(0, d.agent))
	d.turn(r, 100)
	r.Silence("paused", true)
	r.Silence("private", true)
	r.Silence("paused", false)
	d.turn(r, 100)
	r.Silence("private", false)
	d.turn(r, 100)
	if _, err := stop(r); err != nil {
		t.Fatal(err)
	}
	pcm, err := audiofile.Decode("", b.Bytes())
	d.must(err)
	if len(pcm) != 48000 {
		t.Fatalf("%d samples of six seconds", len(pcm))
	}
	for _, hz := range []float64{440, 1000} {
		for part, want := range []float64{-10, -90, -10} {
			if l := measure.Tone(pcm[16000*part+4000:16000*part+12000], 8000, hz); math.Abs(l-want) > 1.5 && (want > -50 || l > -60) {
				t.Errorf("%g Hz in part %d is at %.1f dBm0, want %.0f", hz, part, l, want)
			}
		}
	}
}

func TestRecordingsEndByThemselves(t *testing.T) {
	d := newDeck(t)
	for _, tt := range []struct {
		o    Options
		want Result
	}{
		{Options{Limit: 300 * time.Millisecond}, Result{Duration: 300 * time.Millisecond, End: Limited}},
		{Options{Judge: func(pcm []int16) bool { return measure.Level(pcm) < -30 }}, Result{Duration: 60 * time.Millisecond, End: Judged}},
	} {
		var b bytes.Buffer
		tt.o.Format = Format{Container: Raw, Coding: MuLaw, Rate: 8000, Channels: 1}
		r := d.record(&b, tt.o)
		d.must(r.Hear(0, d.caller))
		d.turn(r, 50)
		<-r.Done()
		got, err := r.Result()
		// The jitter buffer lets a frame or two pass before anybody is heard.
		if got.End != tt.want.End || got.Duration < tt.want.Duration-40*time.Millisecond || got.Duration > tt.want.Duration+40*time.Millisecond || err != nil {
			t.Errorf("%+v, %v, want %+v", got, err, tt.want)
		}
		if want := int(got.Duration/time.Millisecond) * 8; b.Len() != want {
			t.Errorf("%d octets, want %d", b.Len(), want)
		}
	}
}

// gate is a disk that stands still until it is opened.
type gate struct {
	open chan struct{}
	mu   sync.Mutex
	n    int
	err  error
}

func (g *gate) Write(p []byte) (int, error) {
	<-g.open
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err != nil {
		return 0, g.err
	}
	g.n += len(p)
	return len(p), nil
}

// A slow disk costs what was said meanwhile, not the recording's time.
func TestASlowDisk(t *testing.T) {
	d := newDeck(t)
	g := &gate{open: make(chan struct{})}
	r := d.record(g, Options{Format: Format{Container: Raw, Coding: MuLaw, Rate: 8000, Channels: 1}})
	d.must(r.Hear(0, d.caller))
	d.turn(r, 600)
	close(g.open)
	for len(r.pieces) > 0 {
		time.Sleep(time.Millisecond)
	}
	d.turn(r, 10)
	got, err := stop(r)
	if err != nil || got.Missing == 0 || got.Missing > 3*time.Second || got.Duration != 12200*time.Millisecond || g.n != 12200*8 {
		t.Errorf("%+v, %v, %d octets", got, err, g.n)
	}
}

func TestAFullDisk(t *testing.T) {
	d := newDeck(t)
	full := errors.New("no space left on device")
	g := &gate{open: make(chan struct{}), err: full}
	close(g.open)
	r := d.record(g, Options{Format: Format{Container: Raw, Coding: MuLaw, Rate: 8000, Channels: 1}})
	d.must(r.Hear(0, d.caller))
	d.turn(r, 20)
	<-r.Done()
	if got, err := r.Result(); got.End != Failed || !errors.Is(err, full) {
		t.Errorf("%+v, %v", got, err)
	}
	d.turn(r, 20)
	r.Stop()
}

func TestASinkIsRecorded(t *testing.T) {
	var b bytes.Buffer
	r, err := New(still(), &b, Options{Format: Format{Container: Raw, Coding: ALaw, Rate: 8000, Channels: 1}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := r.Sink(0, 16000)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Sink(1, 8000); err == nil {
		t.Error("a second channel of one")
	}
	pcm := tone.PCM(16000, tone.Part{Hz: []float64{440}, Level: -10, For: 2 * time.Second})
	for ; len(pcm) > 0; pcm = pcm[320:] {
		s.Frame(pcm[:320])
		r.Tick()
	}
	if _, err := stop(r); err != nil {
		t.Fatal(err)
	}
	heard, _ := codec.PCMA.Decode(b.Bytes())
	wantTone(t, "sink", heard, 8000, 440)
}

func TestTickDoesNotAllocate(t *testing.T) {
	d := newDeck(t)
	r := d.record(io.Discard, Options{Format: Format{Container: Raw, Coding: MuLaw, Rate: 8000, Channels: 1}})
	d.must(r.Hear(0, d.caller))
	d.turn(r, 100)
	for range 60 { // pieces that come back
		for range 10 {
			r.Tick()
		}
		for len(r.pieces) > 0 {
			time.Sleep(100 * time.Microsecond)
		}
	}
	if n := testing.AllocsPerRun(9, r.Tick); n != 0 {
		t.Errorf("%g allocations a frame", n)
	}
	stop(r)
}
