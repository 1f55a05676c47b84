package media

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"

	"mcp/control/media/clock"
	"mcp/control/media/codec"
	"mcp/control/media/dtmf"
	"mcp/control/media/report"
	"mcp/control/media/srtp"
)

// Session is one call's media: its legs and the graph between them.
type Session struct {
	engine *Engine
	log    *slog.Logger
	call   string
	cname  string // of all its streams, in RTCP

	mu      sync.Mutex
	legs    map[string]*Leg
	order   []string // of the legs' opening
	edges   []Edge
	playing map[string]*Playback
	fed     map[string]*feed // what legs hear from outside, by name
	links   []*feed          // legs of other sessions that hear legs of this one
	applied Plan
	closed  []Summary // legs that have ended; complete when over
	over    bool
}

// Summary is what a leg carried in its life.
type Summary struct {
	Name   string
	Codec  codec.Codec
	Remote netip.AddrPort
	SSRC   uint32 // of the stream towards the far end
	Stats  LegStats
	// Protection is what packets were protected with at the end; empty: nothing.
	Protection srtp.Profile
	// Keys is how those for that were agreed: "dtls" or "sdes".
	Keys string
	// How well packets came from the far end, and to it as far as it has told.
	Received, Sent report.Quality
}

// ErrClosed says that the session or leg is closed.
var ErrClosed = errors.New("media session is closed")

// maxTries bounds how many ports are tried when others hold them.
const maxTries = 16

// Clock paces what userspace does with the session's audio.
func (s *Session) Clock() *clock.Clock { return s.engine.clock }

// OpenLeg takes a port of a local address and opens a leg there. It carries
// nothing before it is connected.
func (s *Session) OpenLeg(name string, local netip.Addr) (*Leg, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return nil, ErrClosed
	}
	if s.legs[name] != nil {
		return nil, fmt.Errorf("open leg %s: there is one of that name", name)
	}
	l := &Leg{name: name, session: s, digits: make(chan Digit, digitQueue)}
	if err := s.engine.place(l, local); err != nil {
		return nil, fmt.Errorf("open leg %s: %w", name, err)
	}
	s.legs[name] = l
	s.order = append(s.order, name)
	return l, nil
}

// place finds a port for a leg and opens it in the plane.
func (e *Engine) place(l *Leg, local netip.Addr) error {
	var last error
	for range maxTries {
		port, err := e.ports.Take()
		if err != nil {
			return errors.Join(err, last)
		}
		ssrc := rand.Uint32()
		l.ssrc = ssrc
		l.local = netip.AddrPortFrom(local, port)
		l.control.reports = report.NewSession(ssrc, l.session.cname)
		var opened PlaneLeg
		opened, last = e.plane.Open(LegConfig{
			Local: l.local, SSRC: ssrc, Call: l.session.call, Role: l.name, Receiver: l,
		})
		if last == nil {
			l.carrier.Store(&carrier{PlaneLeg: opened})
			e.tally.opened(l)
			e.reporter.add(l)
			return nil
		}
		e.ports.Give(port)
		if !errors.Is(last, ErrPortTaken) {
			return last
		}
	}
	return last
}

// connect tells the plane first, but for a leg that is to fall silent: those who
// send must know before the plane refuses them.
func (s *Session) connect(l *Leg, state *legState) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over || s.legs[l.name] != l {
		return ErrClosed
	}
	if err := s.engine.check(state.far, l.local.Addr()); err != nil {
		return fmt.Errorf("connect leg %s: %w", l.name, err)
	}
	if err := s.homeLocked(l, state.far); err != nil {
		return fmt.Errorf("connect leg %s: %w", l.name, err)
	}
	state.far.DSCP, state.since = s.engine.dscp, time.Now()
	before := l.state.Load()
	if !state.speaks() {
		l.state.Store(state)
	}
	if err := l.carrier.Load().Connect(state.far); err != nil {
		l.state.Store(before)
		return fmt.Errorf("connect leg %s: %w", l.name, err)
	}
	l.state.Store(state)
	if b := s.playing[l.name]; b != nil {
		b.agree(state)
	}
	return s.applyLocked()
}

// connectAndTell connects a leg, and has those who are heard there follow.
func (s *Session) connectAndTell(l *Leg, state *legState) error {
	err := s.connect(l, state)
	s.resound(l.name)
	return err
}

// Join lets one leg's far end be heard by another's. Joining twice is joining once.
func (s *Session) Join(from, to *Leg) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	edge := Edge{from.name, to.name}
	if s.over || s.legs[from.name] != from || s.legs[to.name] != to {
		return ErrClosed
	}
	if slices.Contains(s.edges, edge) {
		return nil
	}
	s.edges = append(s.edges, edge)
	if err := s.applyLocked(); err != nil {
		s.edges = s.edges[:len(s.edges)-1]
		return fmt.Errorf("join %s to %s: %w", from.name, to.name, err)
	}
	return nil
}

// Part ends what Join began.
func (s *Session) Part(from, to *Leg) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.edges = slices.DeleteFunc(s.edges, func(e Edge) bool { return e == Edge{from.name, to.name} })
	return s.applyLocked()
}

// Play plays a clip to a leg's far end, which hears nothing else until it ends.
// A clip that is still playing there is stopped.
func (s *Session) Play(to *Leg, clip *Clip) (*Playback, error) {
	return s.PlayWith(to, clip, PlayOptions{})
}

// PlayWith plays a clip from another place than its beginning, or repeatedly.
func (s *Session) PlayWith(to *Leg, clip *Clip, o PlayOptions) (*Playback, error) {
	state := to.state.Load()
	if state == nil || !suits(clip.codec, state.codec) {
		return nil, fmt.Errorf("play to leg %s: the clip is %s, the leg is not", to.name, clip.codec.Name)
	}
	_, span := state.samples()
	script, span := newClipScript(clip, span)
	return s.perform(newPlayback(to, script, span).as(o))
}

// press begins to send key presses.
func (s *Session) press(to *Leg, keys string) (*Playback, error) {
	state := to.state.Load()
	if state == nil {
		return nil, fmt.Errorf("leg %s is not connected", to.name)
	}
	if state.far.Events < 0 {
		clip, err := keyClip(keys, state.codec)
		if err != nil {
			return nil, err
		}
		return s.Play(to, clip)
	}
	_, span := state.samples()
	sequence, err := dtmf.NewSequence(keys, span, state.far.ClockRate)
	if err != nil {
		return nil, err
	}
	return s.perform(newPlayback(to, keyScript{sequence}, span))
}

// perform lets a playback have its leg for itself.
func (s *Session) perform(b *Playback) (*Playback, error) {
	s.mu.Lock()
	name := b.leg.name
	if s.over || s.legs[name] != b.leg {
		s.mu.Unlock()
		return nil, ErrClosed
	}
	before := s.playing[name]
	s.playing[name] = b
	err := s.applyLocked()
	s.mu.Unlock()
	s.resound(name)
	if before != nil {
		before.Stop()
	}
	if err != nil {
		b.finish(err)
		return nil, err
	}
	s.engine.play(b)
	return b, nil
}

// agreedSince tells a plane that has just begun a playback what was agreed since state.
func (s *Session) agreedSince(b *Playback, state *legState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := b.leg.state.Load(); now != state && s.playing[b.leg.name] == b {
		b.agree(now)
	}
}

// played gives the leg back to whom it was joined to.
func (s *Session) played(b *Playback) {
	s.mu.Lock()
	if s.playing[b.leg.name] != b {
		s.mu.Unlock()
		return
	}
	delete(s.playing, b.leg.name)
	err := s.applyLocked()
	s.mu.Unlock()
	if err != nil {
		s.log.Error("restore routes after a clip", "leg", b.leg.name, "error", err)
	}
	s.resound(b.leg.name)
}

func (s *Session) graphLocked() Graph {
	g := Graph{Legs: make(map[string]codec.Codec, len(s.legs)), Edges: s.edges}
	for name, l := range s.legs {
		g.Legs[name] = l.spoken()
		mark(&g.Tapped, name, l.isTapped())
		mark(&g.Monitored, name, len(l.monitors.all()) > 0)
		mark(&g.Fed, name, s.fed[name] != nil)
		mark(&g.Aside, name, l.aside.Load())
		mark(&g.Apart, name, l.carrier.Load().apart)
		mark(&g.Hushed, name, l.hushes())
	}
	s.linkLocked(&g)
	for name := range s.playing {
		mark(&g.Playing, name, true)
	}
	return g
}

// mark puts a name that belongs there into a set, which few sessions need.
func mark(set *map[string]bool, name string, belongs bool) {
	if !belongs {
		return
	}
	if *set == nil {
		*set = map[string]bool{}
	}
	(*set)[name] = true
}

// planLocked plans the graph. Most sessions have none: their one leg is played to.
func (s *Session) planLocked() (Plan, error) {
	heard := len(s.edges)+len(s.links) > 0
	for _, l := range s.legs {
		heard = heard || l.isTapped()
	}
	if !heard {
		return nil, nil
	}
	return s.graphLocked().Plan()
}

// applyLocked plans the graph and changes what differs from what is in force.
func (s *Session) applyLocked() error {
	if s.over {
		return nil
	}
	s.pauseLocked()
	plan, err := s.planLocked()
	if err != nil {
		return err
	}
	for name, l := range s.legs {
		if plan[name].Equal(s.applied[name]) {
			continue
		}
		if err := s.routeLocked(l, plan[name]); err != nil {
			return fmt.Errorf("route leg %s: %w", name, err)
		}
		s.applied[name] = plan[name]
	}
	return nil
}

func (s *Session) routeLocked(l *Leg, r Rule) error {
	var targets []*forwarder
	for _, f := range r.Forward {
		target, err := newForwarder(s.legLocked(f.To), f)
		if err != nil {
			return err
		}
		targets = append(targets, target)
	}
	l.forward.Store(&targets)
	route := Route{Copy: r.copied()}
	l.relayed.Store(nil)
	if r.Relay != "" {
		to := s.legLocked(r.Relay)
		l.relayed.Store(to)
		route.To = to.carrier.Load().PlaneLeg
	}
	return l.carrier.Load().Route(route)
}

func (s *Session) closeLeg(l *Leg) error {
	s.mu.Lock()
	playing := s.playing[l.name]
	s.mu.Unlock()
	if playing != nil && playing.leg == l {
		playing.Stop()
	}
	detached := s.detach(l)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.legs[l.name] != l {
		return nil
	}
	s.edges = slices.DeleteFunc(s.edges, func(e Edge) bool { return e.From == l.name || e.To == l.name })
	err := s.applyLocked()
	return errors.Join(detached, err, s.endLocked(l))
}

// endLocked ends a leg and keeps what it carried.
func (s *Session) endLocked(l *Leg) error {
	delete(s.legs, l.name)
	delete(s.applied, l.name)
	summary, err := s.engine.release(l)
	if n := summary.Stats.Dropped[overrun]; n > 0 {
		s.log.Warn("packets lost, perhaps keys among them: the platform was too slow", "leg", l.name, "packets", n)
	}
	s.closed = append(s.closed, summary)
	return err
}

// Close ends every leg, frees the ports and tells what each carried: those that
// ended before, then the others in the order in which they were opened.
func (s *Session) Close() []Summary {
	s.mu.Lock()
	s.over = true
	playing := slices.Collect(maps.Values(s.playing))
	s.mu.Unlock()
	for _, b := range playing {
		b.Stop()
	}
	if err := s.detach(nil); err != nil {
		s.log.Error("end links to other calls", "error", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range s.order {
		l := s.legs[name]
		if l == nil {
			continue
		}
		if err := s.endLocked(l); err != nil {
			s.log.Error("close leg", "leg", name, "error", err)
		}
	}
	return s.closed
}
