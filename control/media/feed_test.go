package media

import (
	"errors"
	"testing"

	"mcp/control/media/codec"
)

func TestAnOutletIsHeardAlone(t *testing.T) {
	s := newStudio(t)
	caller, c := s.connected("caller", codec.PCMU)
	server, p := s.connected("server", codec.PCMU)
	s.must(s.session.Join(server, caller))
	o, err := caller.Outlet()
	s.must(err)
	p.wantRoute(t, nil, false, 2)
	if _, err := caller.Outlet(); !errors.Is(err, ErrFed) {
		t.Errorf("a second outlet: %v", err)
	}
	f, ok := caller.Format()
	if !ok || f.Codec != codec.PCMU || f.Ticks != 160 || f.Span != frame {
		t.Errorf("format is %+v", f)
	}
	s.must(o.Send(f, false, []byte{1}))
	s.must(o.Send(f, false, []byte{2}))
	s.must(o.Close())
	p.wantRoute(t, c, false, 3)
	s.must(o.Send(f, false, []byte{3}))
	sent := c.all()
	if len(sent) != 2 || !sent[0].Marker || sent[1].Marker || sent[1].Data[0] != 2 || sent[1].Samples != 160 {
		t.Errorf("sent %+v", sent)
	}
}

func TestAClipInterruptsAnOutlet(t *testing.T) {
	s := newStudio(t)
	caller, c := s.connected("caller", codec.PCMU)
	o, err := caller.Outlet()
	s.must(err)
	f, _ := caller.Format()
	clip, err := NewClip(make([]int16, 80000), codec.PCMU)
	s.must(err)
	b, err := s.session.Play(caller, clip)
	s.must(err)
	s.must(o.Send(f, false, []byte{1}))
	b.Stop()
	<-b.Done()
	s.must(o.Send(f, false, []byte{2}))
	sent := c.all()
	last := sent[len(sent)-1]
	if len(last.Data) != 1 || last.Data[0] != 2 || !last.Marker {
		t.Errorf("after the clip %+v", last)
	}
	for _, p := range sent[:len(sent)-1] {
		if len(p.Data) != 160 {
			t.Errorf("during the clip %+v", p)
		}
	}
}

func TestALinkCrossesSessions(t *testing.T) {
	s := newStudio(t)
	caller, c := s.connected("caller", codec.PCMU)
	far := &studio{t, s.plane, s.engine, s.engine.NewSession("call-2")}
	defer far.session.Close()
	callee, p := far.connected("caller", codec.PCMU)
	k, err := caller.Link(callee)
	s.must(err)
	c.wantRoute(t, p, false, 1)
	if _, err := caller.Link(callee); !errors.Is(err, ErrFed) {
		t.Errorf("linked twice: %v", err)
	}
	clip, err := NewClip(make([]int16, 80000), codec.PCMU)
	s.must(err)
	b, err := far.session.Play(callee, clip)
	s.must(err)
	c.wantRoute(t, nil, false, 2)
	b.Stop()
	<-b.Done()
	c.wantRoute(t, p, false, 3)
	s.must(callee.Connect(agreed(codec.PCMA), codec.PCMA))
	c.wantRoute(t, nil, true, 4)
	s.must(callee.Connect(agreed(codec.PCMU), codec.PCMU))
	c.wantRoute(t, p, false, 5)
	s.must(k.Close())
	c.wantRoute(t, nil, false, 6)
	s.must(k.Close())
}

func TestALinkEndsWithEitherSession(t *testing.T) {
	for _, first := range []string{"source", "sink"} {
		s := newStudio(t)
		caller, c := s.connected("caller", codec.PCMU)
		far := &studio{t, s.plane, s.engine, s.engine.NewSession("call-2")}
		callee, _ := far.connected("callee", codec.PCMU)
		_, err := caller.Link(callee)
		s.must(err)
		if first == "source" {
			s.session.Close()
			o, err := callee.Outlet()
			s.must(err)
			s.must(o.Close())
		}
		far.session.Close()
		if first == "sink" {
			c.wantRoute(t, nil, false, 2)
		}
		if len(s.session.links) != 0 || callee.fed != nil {
			t.Errorf("%s first: %d links are left, and the feed %v", first, len(s.session.links), callee.fed)
		}
	}
}
