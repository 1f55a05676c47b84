package media

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"mcp/control/media/codec"
	"mcp/control/media/rtpstream"
	"mcp/control/media/srtp"
)

// newDivided is a studio whose plane protects nothing; the second one does.
func newDivided(t *testing.T) (*studio, *recorder) {
	t.Helper()
	plane, apart := newRecorder(), newRecorder()
	e, err := NewEngine(Config{Secure: apart}, plane, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s := &studio{t, plane, e, e.NewSession("call-1")}
	t.Cleanup(s.close)
	return s, apart
}

func securely(t *testing.T, c codec.Codec) FarEnd {
	t.Helper()
	k, err := srtp.RandomKey(srtp.GCM128)
	if err != nil {
		t.Fatal(err)
	}
	f := agreed(c)
	f.Secure = &srtp.Agreement{Send: k, Receive: k}
	return f
}

// TestProtectedLegMoves has a call begin in the clear, become protected, and go on
// in the clear: its stream goes on, its counts add up, and who was relayed to it by
// the plane is sent to it by userspace.
func TestProtectedLegMoves(t *testing.T) {
	s, apart := newDivided(t)
	caller, first := s.connected("caller", codec.PCMU)
	server, serving := s.connected("server", codec.PCMU)
	s.must(s.session.Join(server, caller))
	s.must(s.session.Join(caller, server))
	if got := serving.routes[len(serving.routes)-1]; got.To != PlaneLeg(first) || got.Copy {
		t.Fatalf("in the clear the plane does %+v", got)
	}
	left := time.Now()
	first.stats = LegStats{RxPackets: 5, TxPackets: 7, TxBytes: 1204, Tx: Place{41, 8000, left}, Dropped: map[string]uint64{"source": 2}}
	s.must(caller.Connect(securely(t, codec.PCMU), codec.PCMU))

	if len(apart.legs) != 1 || first.closed != 1 {
		t.Fatalf("%d legs are carried apart, the first was closed %d times", len(apart.legs), first.closed)
	}
	second := apart.legs[0]
	if second.config.SSRC != first.config.SSRC || second.config.Local != first.config.Local || *second.config.After != (Place{41, 8000, left}) {
		t.Errorf("it goes on as %+v", second.config)
	}
	if got := serving.routes[len(serving.routes)-1]; got.To != nil || !got.Copy {
		t.Errorf("to the protected leg the plane does %+v", got)
	}
	if got := second.routes[len(second.routes)-1]; got.To != nil || !got.Copy {
		t.Errorf("from the protected leg the plane does %+v", got)
	}
	second.keep = true
	serving.hears(rtpstream.Header{SSRC: 9}, make([]byte, 160))
	if sent := second.all(); len(sent) != 1 {
		t.Errorf("%d packets were sent on", len(sent))
	}
	second.stats = LegStats{RxPackets: 1, TxPackets: 1, TxBytes: 172, Tx: Place{At: left}, Dropped: map[string]uint64{"srtp_tag": 3}}
	if got, err := caller.Stats(); err != nil || got.RxPackets != 6 || got.TxPackets != 8 || got.TxBytes != 1376 || got.Dropped["source"] != 2 || got.Dropped["srtp_tag"] != 3 {
		t.Errorf("%+v, %v", got, err)
	}
	s.must(caller.Connect(agreed(codec.PCMU), codec.PCMU))
	if second.closed != 0 || second.far.Secure != nil {
		t.Errorf("in the clear again: closed %d times, %+v", second.closed, second.far)
	}
	summaries := s.session.Close()
	if len(summaries) != 2 || summaries[0].Stats.TxPackets != 8 || summaries[0].Protection != "" {
		t.Errorf("%+v", summaries)
	}
}

// TestLegThatNobodyUsedGoesBack moves legs on which nothing has passed to where
// they cost least.
func TestLegThatNobodyUsedGoesBack(t *testing.T) {
	s, apart := newDivided(t)
	l, _ := s.open("caller")
	s.must(l.Connect(securely(t, codec.PCMU), codec.PCMU))
	if profileOf(l) != srtp.GCM128 || len(apart.taken) != 1 || len(s.plane.taken) != 0 {
		t.Errorf("protected: %v apart, %v not", apart.taken, s.plane.taken)
	}
	s.must(l.Connect(agreed(codec.PCMU), codec.PCMU))
	if profileOf(l) != "" || len(apart.taken) != 0 || len(s.plane.taken) != 1 {
		t.Errorf("in the clear: %v apart, %v not", apart.taken, s.plane.taken)
	}
}

// TestLegExpectsAHandshake is where one can be taken before it is agreed, and goes
// back where none is wanted.
func TestLegExpectsAHandshake(t *testing.T) {
	s, apart := newDivided(t)
	l, _ := s.open("caller")
	s.must(l.ExpectHandshake())
	if len(apart.taken) != 1 || len(s.plane.taken) != 0 {
		t.Errorf("expecting: %v apart, %v not", apart.taken, s.plane.taken)
	}
	s.must(l.Connect(agreed(codec.PCMU), codec.PCMU))
	if len(apart.taken) != 0 || len(s.plane.taken) != 1 {
		t.Errorf("in the clear: %v apart, %v not", apart.taken, s.plane.taken)
	}
	s.session.Close()
	if err := l.ExpectHandshake(); !errors.Is(err, ErrClosed) {
		t.Errorf("%v", err)
	}
}

// TestTwoProtectedLegs are relayed by the plane that carries both.
func TestTwoProtectedLegs(t *testing.T) {
	s, apart := newDivided(t)
	a, _ := s.open("a")
	b, _ := s.open("b")
	s.must(a.Connect(securely(t, codec.PCMU), codec.PCMU))
	s.must(b.Connect(securely(t, codec.PCMU), codec.PCMU))
	s.must(s.session.Join(a, b))
	if routes := apart.legs[0].routes; len(routes) != 1 || routes[0].To != PlaneLeg(apart.legs[1]) || routes[0].Copy {
		t.Errorf("%+v", routes)
	}
}

// TestMoveThatFails leaves the leg as it was.
func TestMoveThatFails(t *testing.T) {
	s, apart := newDivided(t)
	l, first := s.connected("caller", codec.PCMU)
	apart.others[l.Local().Port()] = true
	if err := l.Connect(securely(t, codec.PCMU), codec.PCMU); !errors.Is(err, ErrPortTaken) {
		t.Errorf("%v", err)
	}
	if first.closed != 0 || profileOf(l) != "" {
		t.Error("the leg is not as it was")
	}
}

// TestClipGoesOnWhenItsLegMoves takes a clip over that the plane played.
func TestClipGoesOnWhenItsLegMoves(t *testing.T) {
	s, apart := newDivided(t)
	plane := &jukebox{recorder: s.plane, voice: toldVoice{at: 200 * time.Millisecond}}
	s.engine.plane = plane
	l, _ := s.connected("caller", codec.PCMU)
	clip, err := NewClip(make([]int16, 8000/2), codec.PCMU)
	s.must(err)
	b, err := s.session.Play(l, clip)
	s.must(err)
	s.must(l.Connect(securely(t, codec.PCMU), codec.PCMU))
	<-b.Done()
	if !plane.voice.stopped || b.Err() != nil || len(apart.legs) != 1 || b.Position() != 500*time.Millisecond {
		t.Errorf("stopped %v, at %s, %v", plane.voice.stopped, b.Position(), b.Err())
	}
}

// jukebox is a plane that plays clips.
type jukebox struct {
	*recorder
	voice toldVoice
}

func (j *jukebox) Play(PlaneLeg, Recording) (Voice, error) { return &j.voice, nil }

// toldVoice is a Voice that stands still.
type toldVoice struct {
	at      time.Duration
	stopped bool
}

func (v *toldVoice) Agree(Recording)         {}
func (v *toldVoice) Hold(bool)               {}
func (v *toldVoice) Seek(time.Duration)      {}
func (v *toldVoice) Position() time.Duration { return v.at }
func (v *toldVoice) Stop()                   { v.stopped = true }

func profileOf(l *Leg) srtp.Profile {
	p, _ := l.protection()
	return p
}
