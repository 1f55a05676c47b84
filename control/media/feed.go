package media

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"mcp/control/media/codec"
	"mcp/control/media/plan"
)

// ErrFed says that a leg hears one source from outside its session already.
var ErrFed = errors.New("leg hears another source already")

// feed is what a leg hears from outside its session: userspace, or a leg of
// another session. There is one at a time; clips interrupt it.
type feed struct {
	leg    *Leg
	from   *Leg        // nil: userspace
	paused atomic.Bool // a clip plays, or it is over
}

// Format is what a far end is to hear: the codec, and how much audio a packet holds.
type Format struct {
	Codec codec.Codec
	Ticks uint32 // of the RTP clock in a packet
	Span  time.Duration
	// Hushed tells that silence may be sent as comfort noise, by Outlet.Hush.
	Hushed bool
	state  *legState
}

// Format is what the leg's far end wants at present; false: it is not connected.
func (l *Leg) Format() (Format, bool) {
	s := l.state.Load()
	if s == nil {
		return Format{}, false
	}
	ticks, span := s.samples()
	hushed := s.far.Noise != 0 && l.session.engine.hushed && len(l.monitors.all()) == 0
	return Format{Codec: s.codec, Ticks: uint32(ticks), Span: span, Hushed: hushed, state: s}, true
}

// Same tells whether two formats come of one agreement with the far end.
func (f Format) Same(g Format) bool { return f.state == g.state }

// Outlet is userspace as the source of what a leg's far end hears, such as a
// mixer. Who the leg is joined to is not heard meanwhile.
type Outlet struct {
	feed
	skipped bool // the stream went on without us
}

// Outlet begins to feed a leg from userspace, or says ErrFed. Its packets are
// stamped as all others of the leg's one stream.
func (l *Leg) Outlet() (*Outlet, error) {
	o := &Outlet{feed: feed{leg: l}, skipped: true}
	if err := l.session.nourish(&o.feed); err != nil {
		return nil, fmt.Errorf("feed leg %s: %w", l.name, err)
	}
	return o, nil
}

// Send sends one packet in a format that the leg had a moment ago; one call at a
// time. While a clip plays, on hold and before the far end is known it does
// nothing. The marker begins a talk-spurt: the timeline goes on by the clock.
func (o *Outlet) Send(f Format, marker bool, data []byte) error {
	if o.paused.Load() {
		o.skipped = true
		return nil
	}
	marker = marker || o.skipped
	o.skipped = false
	return o.leg.send(f.state, Payload{PayloadType: f.state.far.PayloadType, Marker: marker, Samples: f.Ticks, Data: data})
}

// Hush sends a packet of comfort noise (RFC 3389) in place of the packets that are left
// out until the next Send, or sends nothing when there is nothing new to say of it.
func (o *Outlet) Hush(f Format, data []byte) error {
	o.skipped = true
	if len(data) == 0 || o.paused.Load() {
		return nil
	}
	return o.leg.send(f.state, Payload{PayloadType: f.state.far.Noise, Marker: true, Samples: f.Ticks, Data: data})
}

// Close gives the leg back to whom it is joined to.
func (o *Outlet) Close() error { return o.leg.session.starve(&o.feed) }

// Link is a leg that hears a leg of another session, relayed by the plane where
// both speak the same codec.
type Link struct{ feed }

// Link lets this leg's far end be heard by another session's leg, as Join does
// within a session, until either leg or the Link is closed.
func (l *Leg) Link(to *Leg) (*Link, error) {
	k := &Link{feed{leg: to, from: l}}
	if err := to.session.nourish(&k.feed); err != nil {
		return nil, fmt.Errorf("link leg %s to %s of call %s: %w", l.name, to.name, to.session.call, err)
	}
	if err := l.session.relink(&k.feed, true); err != nil {
		return nil, errors.Join(fmt.Errorf("link leg %s: %w", l.name, err), to.session.starve(&k.feed))
	}
	return k, nil
}

// Close ends it.
func (k *Link) Close() error {
	return errors.Join(k.from.session.relink(&k.feed, false), k.leg.session.starve(&k.feed))
}

// nourish makes a feed what a leg of the session hears.
func (s *Session) nourish(f *feed) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.hasLocked(f.leg) {
		return ErrClosed
	}
	if f.leg.fed != nil {
		return ErrFed
	}
	f.leg.fed = f
	if err := s.applyLocked(); err != nil {
		f.leg.fed = nil
		return err
	}
	return nil
}

// starve ends a feed.
func (s *Session) starve(f *feed) error {
	f.paused.Store(true)
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.leg.fed != f {
		return nil
	}
	f.leg.fed = nil
	return s.applyLocked()
}

// relink adds or removes a feed that a leg of the session is the source of.
func (s *Session) relink(f *feed, on bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !on {
		s.links = slices.DeleteFunc(s.links, func(o *feed) bool { return o == f })
		return s.applyLocked()
	}
	if !s.hasLocked(f.from) {
		return ErrClosed
	}
	s.links = append(s.links, f)
	if err := s.applyLocked(); err != nil {
		s.links = s.links[:len(s.links)-1]
		return err
	}
	return nil
}

// foreign names a leg of another session in this one's graph.
func (f *feed) foreign() string { return f.leg.session.call + "\x00" + f.leg.name }

// linkLocked puts into a graph what other sessions' legs hear of this one's.
func (s *Session) linkLocked(g *plan.Graph) {
	if len(s.links) == 0 {
		return
	}
	g.Edges = slices.Clone(g.Edges)
	for _, f := range s.links {
		g.Edges = append(g.Edges, plan.Edge{From: f.from.name, To: f.foreign()})
		if !f.paused.Load() {
			g.Legs[f.foreign()] = f.leg.spoken()
			mark(&g.Apart, f.foreign(), f.leg.carrier.Load().apart)
			mark(&g.Hushed, f.foreign(), f.leg.hushes())
			mark(&g.Monitored, f.foreign(), len(f.leg.monitors.all()) > 0)
		}
	}
}

// reachLocked finds a leg of a rule: one of the session's own, or another's.
func (s *Session) reachLocked(name string) *Leg {
	if l := s.legLocked(name); l != nil {
		return l
	}
	for _, f := range s.links {
		if f.foreign() == name {
			return f.leg
		}
	}
	return nil
}

// pauseLocked lets clips interrupt feeds, and tells whose plans depend on them.
func (s *Session) pauseLocked() {
	for _, l := range s.legs {
		if l.fed != nil {
			l.fed.paused.Store(l.playing != nil)
		}
	}
}

// resound has the sessions plan anew that are heard by a leg of this one: its
// codec is another, or a clip has begun or ended. It is called without the lock.
func (s *Session) resound(l *Leg) {
	s.mu.Lock()
	f := l.fed
	s.mu.Unlock()
	if f == nil || f.from == nil {
		return
	}
	other := f.from.session
	other.mu.Lock()
	defer other.mu.Unlock()
	if err := other.applyLocked(); err != nil {
		other.log().Error("route to a leg of another call", "leg", f.from.name, "error", err)
	}
}

// detach ends the links and feeds of one leg, or with nil of all.
func (s *Session) detach(l *Leg) error {
	s.mu.Lock()
	feeds := slices.Clone(s.links)
	for _, o := range s.legs {
		if o.fed != nil {
			feeds = append(feeds, o.fed)
		}
	}
	s.mu.Unlock()
	var errs []error
	for _, f := range feeds {
		if l != nil && f.leg != l && f.from != l {
			continue
		}
		if f.from != nil {
			errs = append(errs, f.from.session.relink(f, false))
		}
		errs = append(errs, f.leg.session.starve(f))
	}
	return errors.Join(errs...)
}
