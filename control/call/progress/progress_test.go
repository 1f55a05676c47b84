package progress

import (
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"mcp/control/media"
	"mcp/control/media/clock"
	"mcp/control/media/codec"
	"mcp/control/media/detect"
	"mcp/control/media/mediatest"
	"mcp/control/media/tone"
	"mcp/control/reporting"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const ms = time.Millisecond

// bench is a leg whose far end says what a test lets it, in no time: the clock
// stands still, and the test ticks.
type bench struct {
	t        *testing.T
	lab      *Lab
	metrics  *prometheus.Registry
	leg      *media.Leg
	far      *mediatest.Far
	clock    *clock.Clock
	answered chan struct{}
	recorder *reporting.Recorder
	record   *reporting.Record
	trail    *reporting.Trail
	analysis *Analysis
}

func newBench(t *testing.T, c Config) *bench {
	t.Helper()
	b := &bench{t: t, metrics: prometheus.NewRegistry(), clock: clock.New(), answered: make(chan struct{})}
	b.clock.Close()
	b.lab = New(c, b.metrics)
	plane := mediatest.NewPlane()
	engine, err := media.NewEngine(media.Config{}, plane, slog.New(slog.DiscardHandler))
	b.must(err)
	session := engine.NewSession("call")
	b.leg, err = session.OpenLeg("party-1", netip.MustParseAddr("127.0.0.1"))
	b.must(err)
	b.far, err = plane.Connect(b.leg, codec.PCMA, 20*ms)
	b.must(err)
	b.recorder, err = reporting.Open(t.TempDir(), reporting.Config{Interval: -1}, slog.New(slog.DiscardHandler))
	b.must(err)
	b.record = reporting.Begin("call", time.Now())
	b.trail = b.recorder.Begin(b.record)
	t.Cleanup(func() {
		b.analysis.Close()
		session.Close()
		b.must(engine.Close())
		b.must(b.recorder.Close())
	})
	return b
}

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) begin(o Options) {
	b.t.Helper()
	a, err := b.lab.Begin(Subject{Leg: b.leg, Clock: b.clock, Answered: b.answered, Trail: b.trail, Log: slog.New(slog.DiscardHandler)}, o)
	b.must(err)
	b.analysis = a
}

// hear lets the far end say something until a verdict stands.
func (b *bench) hear(parts ...tone.Part) {
	b.t.Helper()
	for pcm := tone.PCM(codec.Narrowband, parts...); len(pcm) >= 160; pcm = pcm[160:] {
		b.must(b.far.Say(pcm[:160]))
		b.analysis.Tick()
	}
}

// found waits for the end of the analysis.
func (b *bench) found() Result {
	b.t.Helper()
	select {
	case <-b.analysis.Found():
	case <-time.After(20 * time.Second):
		b.t.Fatal("nothing was found")
	}
	r, _ := b.analysis.Result()
	return r
}

func pause(d time.Duration) tone.Part { return tone.Part{For: d} }

// talk sounds like a voice, as far as its energy and its many tones go.
func talk(d time.Duration) tone.Part {
	return tone.Part{Hz: []float64{170, 510, 1190, 2300}, Level: -24, For: d}
}

func beep() []tone.Part {
	return []tone.Part{pause(300 * ms), {Hz: []float64{1000}, Level: -12, For: 400 * ms}, pause(200 * ms)}
}

func repeat(n int, on, off time.Duration, hz ...float64) (parts []tone.Part) {
	for range n {
		parts = append(parts, tone.Part{Hz: hz, Level: -15, For: on}, pause(off))
	}
	return parts
}

func sit(first, second float64) []tone.Part {
	var parts []tone.Part
	for _, hz := range []float64{first, second, 1776.7} {
		parts = append(parts, tone.Part{Hz: []float64{hz}, Level: -20, For: 330 * ms})
	}
	return append(parts, pause(200*ms))
}

func TestOutcomes(t *testing.T) {
	greeting := []tone.Part{pause(200 * ms), talk(2200 * ms)}
	for _, tt := range []struct {
		name          string
		before, after []tone.Part
		options       Options
		want          Result // but for After, which is at least what it says
	}{
		{"busy", repeat(3, 500*ms, 500*ms, 480, 620), nil, Options{}, Result{Outcome: detect.Busy, After: 1500 * ms}},
		{"fast busy", repeat(4, 250*ms, 250*ms, 480, 620), nil, Options{}, Result{Outcome: detect.FastBusy, After: time.Second}},
		{"no circuit", sit(985.2, 1428.5), nil, Options{}, Result{Outcome: detect.NoCircuit, After: 800 * ms}},
		{"vacant number", sit(985.2, 1370.6), nil, Options{}, Result{Outcome: detect.Vacant, After: 800 * ms}},
		{"rung often enough", repeat(4, 2*time.Second, 4*time.Second, 440, 480), nil, Options{}, Result{Outcome: detect.RingBack, After: 12 * time.Second}},
		{"a person, rung before", repeat(1, 2*time.Second, 4*time.Second, 440, 480), []tone.Part{talk(500 * ms), pause(1200 * ms)}, Options{}, Result{Outcome: detect.Human, Answered: true, After: 1500 * ms}},
		{"a machine", nil, greeting, Options{}, Result{Outcome: detect.Machine, Answered: true, After: 1800 * ms}},
		{"a machine's greeting", nil, append(greeting, pause(1200*ms)), Options{Until: GreetingOver}, Result{Outcome: detect.Machine, Answered: true, After: 1800 * ms}},
		{"a machine's beep", nil, append(greeting, beep()...), Options{Until: Beep}, Result{Outcome: detect.Machine, Answered: true, Beep: true, After: 1800 * ms}},
		{"a beep, not the greeting's end", nil, append(append(greeting, pause(1200*ms)), beep()...), Options{Until: Beep}, Result{Outcome: detect.Machine, Answered: true, Beep: true, After: 1800 * ms}},
		{"no beep in time", nil, append(greeting, pause(6*time.Second)), Options{Until: Beep}, Result{Outcome: detect.Machine, Answered: true, After: 1800 * ms}},
		{"rather a person", nil, append(greeting, pause(1200*ms)), Options{Profile: Voice}, Result{Outcome: detect.Human, Answered: true, After: 3 * time.Second}},
		{"rather a machine", nil, []tone.Part{talk(1500 * ms)}, Options{Profile: Machine}, Result{Outcome: detect.Machine, Answered: true, After: 1300 * ms}},
		{"a fax", nil, []tone.Part{{Hz: []float64{2100}, Level: -15, For: time.Second}}, Options{}, Result{Outcome: detect.Fax, Answered: true, After: 160 * ms}},
		{"nobody speaks", nil, []tone.Part{pause(6 * time.Second)}, Options{}, Result{Outcome: detect.Silence, Answered: true, After: 5 * time.Second}},
		{"the network says so after the answer", nil, repeat(3, 500*ms, 500*ms, 425), Options{}, Result{Outcome: detect.Busy, Answered: true, After: 1500 * ms}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := DefaultConfig()
			c.Timing.MaxRings, c.Timing.MaxBeep = 2, 5*time.Second
			b := newBench(t, c)
			b.begin(tt.options)
			b.hear(tt.before...)
			if tt.after != nil {
				close(b.answered)
				b.hear(tt.after...)
			}
			got := b.found()
			if got.After < tt.want.After || got.After > tt.want.After+700*ms {
				t.Errorf("known after %s, want %s", got.After, tt.want.After)
			}
			tt.want.After = got.After
			if got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			b.told(got)
			b.letBe()
		})
	}
}

// told checks what is kept of a result.
func (b *bench) told(r Result) {
	b.t.Helper()
	b.trail.Complete(b.record)
	want := reporting.Progress{Leg: "party-1", Outcome: string(r.Outcome), Answered: r.Answered, Beep: r.Beep, After: r.After.Milliseconds()}
	if got := b.record.Progress; len(got) != 1 || got[0] != want {
		b.t.Errorf("the record has %+v, want %+v", got, want)
	}
	if n := testutil.ToFloat64(b.lab.metrics.outcomes.WithLabelValues(string(r.Outcome))); n != 1 {
		b.t.Errorf("counted %v", n)
	}
}

// letBe checks that the leg's audio does not come to userspace any more.
func (b *bench) letBe() {
	b.t.Helper()
	before, err := b.leg.Stats()
	b.must(err)
	b.must(b.far.Say(make([]int16, 160)))
	after, err := b.leg.Stats()
	b.must(err)
	if before.RxUser == 0 || after.RxUser != before.RxUser || after.RxPackets != before.RxPackets+1 {
		b.t.Errorf("copied to userspace: %d packets, then %d", before.RxUser, after.RxUser)
	}
}

func TestNobodyListensWhileItRingsForLong(t *testing.T) {
	c := DefaultConfig()
	c.Timing.MaxPreConnect = time.Second
	b := newBench(t, c)
	b.begin(Options{})
	b.hear(pause(1100 * ms))
	copied := func() uint64 {
		b.must(b.far.Say(make([]int16, 160)))
		s, err := b.leg.Stats()
		b.must(err)
		return s.RxUser
	}
	wait(t, "the audio to be left alone", func() bool { return copied() == copied() })
	close(b.answered)
	wait(t, "the audio to be listened to", func() bool { return copied() != copied() })
	// What was said while nobody ticked comes first.
	b.hear(talk(500*ms), pause(4*time.Second))
	if got := b.found(); got.Outcome != detect.Human {
		t.Errorf("got %+v", got)
	}
}

func wait(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); time.Sleep(ms) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func TestAnalysisEndsUnfinished(t *testing.T) {
	b := newBench(t, DefaultConfig())
	b.begin(Options{})
	b.hear(pause(200 * ms))
	b.analysis.Close()
	b.analysis.Close()
	if r, known := b.analysis.Result(); known {
		t.Errorf("found %+v", r)
	}
	b.trail.Complete(b.record)
	if len(b.record.Progress) != 0 {
		t.Errorf("the record has %+v", b.record.Progress)
	}
	b.letBe()
}

func TestOptions(t *testing.T) {
	for _, tt := range []struct {
		name    string
		lab     *Lab
		options Options
		says    string
	}{
		{"fine", New(DefaultConfig(), nil), Options{Profile: Voice, Until: Beep}, ""},
		{"no such profile", New(DefaultConfig(), nil), Options{Profile: "polite"}, "polite"},
		{"no such end", New(DefaultConfig(), nil), Options{Until: "dawn"}, "dawn"},
		{"no analysis", nil, Options{}, "not analysed here"},
	} {
		err := tt.lab.Check(tt.options)
		if tt.says == "" && err != nil || tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says)) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	var none *Analysis
	none.Close()
	if _, known := none.Result(); known {
		t.Error("an analysis that there is not has a result")
	}
}

func TestTickDoesNotAllocate(t *testing.T) {
	b := newBench(t, DefaultConfig())
	b.begin(Options{})
	b.hear(pause(100 * ms))
	if n := testing.AllocsPerRun(100, b.analysis.Tick); n != 0 {
		t.Errorf("%g allocations", n)
	}
}
