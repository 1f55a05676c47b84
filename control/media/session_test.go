package media

import (
	"bytes"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"testing"

	"mcp/control/media/codec"
	"mcp/control/media/plan"
	"mcp/control/media/ports"
)

func (l *recorded) route() (r Route, changes int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.routes); n > 0 {
		return l.routes[n-1], n
	}
	return Route{}, 0
}

func (l *recorded) wantRoute(t testing.TB, to *recorded, copied bool, changes int) {
	t.Helper()
	r, n := l.route()
	var want PlaneLeg
	if to != nil {
		want = to
	}
	if r.To != want || r.Copy != copied || n != changes {
		t.Errorf("route is %+v after %d changes, want %v, %t after %d", r, n, want, copied, changes)
	}
}

func TestOnlyTheDifferenceIsApplied(t *testing.T) {
	s := newStudio(t)
	caller, c := s.connected("caller", codec.PCMU)
	server, p := s.connected("server", codec.PCMU)
	s.must(s.session.Join(caller, server))
	c.wantRoute(t, p, false, 1)
	p.wantRoute(t, nil, false, 0)
	s.must(s.session.Join(caller, server))
	s.must(s.session.Join(server, caller))
	c.wantRoute(t, p, false, 1)
	p.wantRoute(t, c, false, 1)
	// Hold and a new address are the plane's matter; the routes stay.
	held := agreed(codec.PCMU)
	held.Send = false
	s.must(caller.Connect(held, codec.PCMU))
	c.wantRoute(t, p, false, 1)
	s.must(s.session.Part(server, caller))
	s.must(s.session.Part(server, caller))
	c.wantRoute(t, p, false, 1)
	p.wantRoute(t, nil, false, 2)
}

func TestEdgesWaitForTheirLegs(t *testing.T) {
	s := newStudio(t)
	caller, c := s.connected("caller", codec.PCMU)
	server, p := s.open("server")
	s.must(s.session.Join(caller, server))
	c.wantRoute(t, nil, false, 0)
	s.must(server.Connect(agreed(codec.PCMU), codec.PCMU))
	c.wantRoute(t, p, false, 1)
}

func TestTwoSourcesNeedAMixer(t *testing.T) {
	s := newStudio(t)
	caller, c := s.connected("caller", codec.PCMU)
	first, f := s.connected("first", codec.PCMU)
	second, g := s.connected("second", codec.PCMU)
	s.must(s.session.Join(first, caller))
	if err := s.session.Join(second, caller); !errors.Is(err, plan.ErrNeedsMixer) {
		t.Errorf("two sources: %v", err)
	}
	f.wantRoute(t, c, false, 1)
	g.wantRoute(t, nil, false, 0)
	s.must(s.session.Part(first, caller))
	s.must(s.session.Join(second, caller))
	f.wantRoute(t, nil, false, 2)
	g.wantRoute(t, c, false, 1)
}

func TestAnotherCodecChangesTheWay(t *testing.T) {
	s := newStudio(t)
	caller, c := s.connected("caller", codec.PCMU)
	first, f := s.connected("first", codec.PCMU)
	second, _ := s.connected("second", codec.PCMU)
	s.must(s.session.Join(caller, first))
	s.must(s.session.Join(caller, second))
	c.wantRoute(t, f, true, 2)
	// The second already hears through userspace; its codec must be noticed all the same.
	s.must(second.Connect(agreed(codec.PCMA), codec.PCMA))
	if targets := *caller.forward.Load(); len(targets) != 1 || targets[0].to != second || targets[0].law == nil {
		t.Errorf("forwards to %+v", targets)
	}
	s.must(first.Connect(agreed(codec.PCMA), codec.PCMA))
	c.wantRoute(t, nil, true, 4)
	s.must(caller.Connect(agreed(codec.PCMA), codec.PCMA))
	c.wantRoute(t, f, true, 5)
	s.must(second.Close())
	c.wantRoute(t, f, false, 6)
}

func TestARefusedRouteIsTriedAgain(t *testing.T) {
	s := newStudio(t)
	caller, c := s.connected("caller", codec.PCMU)
	server, p := s.connected("server", codec.PCMU)
	broken := errors.New("broken")
	c.refusing(broken)
	if err := s.session.Join(caller, server); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	if err := caller.Connect(FarEnd{}, codec.PCMU); !errors.Is(err, broken) || caller.state.Load().far.Events != 101 {
		t.Errorf("%v, far end is %+v", err, caller.state.Load().far)
	}
	c.refusing(nil)
	s.must(s.session.Join(caller, server))
	c.wantRoute(t, p, false, 2)
}

func TestLegsTakePortsAndGiveThemBack(t *testing.T) {
	s := newStudio(t)
	s.engine.ports, _ = ports.New(20000, 20008) // four
	s.plane.others[20002] = true
	for _, name := range []string{"a", "b", "c"} {
		if l, p := s.open(name); l.Local() != p.config.Local || l.Local().Addr() != localhost || p.config.SSRC == 0 {
			t.Errorf("leg %s is at %s, %+v", name, l.Local(), p.config)
		}
	}
	if _, err := s.session.OpenLeg("d", localhost); !errors.Is(err, ErrPortTaken) {
		t.Errorf("another process's port: %v", err)
	}
	if _, err := s.session.OpenLeg("a", localhost); err == nil {
		t.Error("two legs of one name")
	}
	s.plane.others[20002] = false
	s.open("d")
	if _, err := s.session.OpenLeg("e", localhost); !errors.Is(err, ports.ErrNone) {
		t.Errorf("a fifth leg: %v", err)
	}
	s.session.Close()
	if n := s.engine.ports.Used(); n != 0 || len(s.plane.taken) != 0 {
		t.Errorf("%d ports are used, %v open", n, s.plane.taken)
	}
	s.session = s.engine.NewSession("call-2")
	s.plane.full = errors.New("map is full")
	if _, err := s.session.OpenLeg("a", localhost); !errors.Is(err, s.plane.full) || s.engine.ports.Used() != 0 {
		t.Errorf("a full plane: %v, %d ports used", err, s.engine.ports.Used())
	}
}

func TestCloseTellsWhatEachLegCarried(t *testing.T) {
	s := newStudio(t)
	caller, c := s.connected("caller", codec.PCMA)
	early, e := s.connected("early", codec.PCMU)
	s.open("idle")
	c.stats.RxPackets, e.stats.RxPackets = 7, 9
	s.must(early.Close())
	s.must(early.Close())
	got := s.session.Close()
	want := []Summary{
		{Name: "early", Codec: codec.PCMU, Remote: agreed(codec.PCMU).RTP, Stats: LegStats{RxPackets: 9}},
		{Name: "caller", Codec: codec.PCMA, Remote: agreed(codec.PCMA).RTP, Stats: LegStats{RxPackets: 7}},
		{Name: "idle"},
	}
	if len(got) != 3 {
		t.Fatalf("%+v", got)
	}
	for i, w := range want {
		g := got[i]
		if g.Name != w.Name || g.Codec != w.Codec || g.Remote != w.Remote || g.Stats.RxPackets != w.Stats.RxPackets {
			t.Errorf("%+v, want %+v", g, w)
		}
	}
	if again := s.session.Close(); len(again) != 3 || c.closed != 1 || e.closed != 1 {
		t.Errorf("closed again: %+v; closed %d and %d times", again, c.closed, e.closed)
	}
	_, open := s.session.OpenLeg("late", localhost)
	clip, _ := NewClip(make([]int16, 160), codec.PCMA)
	_, play := s.session.Play(caller, clip)
	for _, err := range []error{open, play, caller.Connect(agreed(codec.PCMA), codec.PCMA), s.session.Join(caller, early)} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("after the end: %v", err)
		}
	}
}

// TestSessionsAtTheSameTime has every method race with every other.
func TestSessionsAtTheSameTime(t *testing.T) {
	s := newStudio(t)
	clip, err := NewClip(make([]int16, 800), codec.PCMU)
	s.must(err)
	var working sync.WaitGroup
	for range 8 {
		working.Go(func() {
			for range 20 {
				call := s.engine.NewSession("call")
				a, err := call.OpenLeg("a", localhost)
				if err != nil {
					t.Error(err)
					return
				}
				b, err := call.OpenLeg("b", localhost)
				if err != nil {
					t.Error(err)
					return
				}
				var inside sync.WaitGroup
				inside.Go(func() { a.Connect(agreed(codec.PCMU), codec.PCMU) })
				inside.Go(func() { b.Connect(agreed(codec.PCMA), codec.PCMA) })
				inside.Go(func() { call.Join(a, b); call.Join(b, a); call.Part(a, b) })
				inside.Go(func() { call.Play(a, clip); call.Play(a, clip) })
				inside.Go(func() { b.Close() })
				inside.Go(func() { call.Close() })
				inside.Wait()
				call.Close()
			}
		})
	}
	working.Wait()
	if n := s.engine.ports.Used(); n != 0 {
		t.Errorf("%d ports are used", n)
	}
}

func TestSummaryOfALegThatWasMuted(t *testing.T) {
	s := newStudio(t)
	l, _ := s.connected("caller", codec.PCMU)
	s.must(l.Connect(FarEnd{}, codec.PCMU))
	if got := s.session.Close(); got[0].Remote != (netip.AddrPort{}) {
		t.Errorf("%+v", got)
	}
}

// What the platform was too slow to take of a leg is told at its end: a key may have been
// among it.
func TestLossOfOursIsTold(t *testing.T) {
	for lost, want := range map[uint64]string{
		0: "", 7: "level=WARN msg=\"packets lost, perhaps keys among them: the platform was too slow\" call=call-1 leg=caller packets=7\n",
	} {
		var text bytes.Buffer
		log := slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}}))
		plane := newRecorder()
		e, err := NewEngine(Config{}, plane, log)
		if err != nil {
			t.Fatal(err)
		}
		s := &studio{t, plane, e, e.NewSession("call-1")}
		_, p := s.open("caller")
		p.stats.Dropped = map[string]uint64{"overrun": lost, "source": 3}
		s.close()
		if text.String() != want {
			t.Errorf("%d packets: the log has %q", lost, text.String())
		}
	}
}
