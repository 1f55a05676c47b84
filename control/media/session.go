package media

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"mcp/control/media/clock"
	"mcp/control/media/codec"
	"mcp/control/media/dtmf"
	"mcp/control/media/plan"
	"mcp/control/media/report"
	"mcp/control/media/srtp"
)

// Session is one call's media: its legs and the graph between them.
type Session struct {
	engine *Engine
	call   string
	cname  string // of all its streams, in RTCP

	mu     sync.Mutex // guards what follows, and what its legs do for it
	legs   []*Leg     // those that are open, in the order of their opening
	edges  []plan.Edge
	links  []*feed   // legs of other sessions that hear legs of this one
	closed []Summary // legs that have ended; complete when over
	over   bool
}

// duty is what a leg does for its session, whose lock guards it.
type duty struct {
	playing *Playback // nil: nothing is played
	fed     *feed     // what it hears from outside; nil: nothing
	applied plan.Rule
	aside   atomic.Bool // it only takes a copy; without the lock
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

// log says whose the session is.
func (s *Session) log() *slog.Logger { return s.engine.log.With("call", s.call) }

// hasLocked tells whether a leg of the session is open.
func (s *Session) hasLocked(l *Leg) bool { return !s.over && slices.Contains(s.legs, l) }

// legLocked finds an open leg of the session; nil: there is none of that name.
func (s *Session) legLocked(name string) *Leg {
	for _, l := range s.legs {
		if l.name == name {
			return l
		}
	}
	return nil
}

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
	if s.legLocked(name) != nil {
		return nil, fmt.Errorf("open leg %s: there is one of that name", name)
	}
	l := &Leg{name: name, session: s}
	if err := s.engine.place(l, local); err != nil {
		return nil, fmt.Errorf("open leg %s: %w", name, err)
	}
	s.legs = append(s.legs, l)
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
	if !s.hasLocked(l) {
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
	if b := l.playing; b != nil {
		b.agree(state)
	}
	return s.applyLocked()
}

// connectAndTell connects a leg, and has those who are heard there follow.
func (s *Session) connectAndTell(l *Leg, state *legState) error {
	err := s.connect(l, state)
	s.resound(l)
	return err
}

// Join lets one leg's far end be heard by another's. Joining twice is joining once.
func (s *Session) Join(from, to *Leg) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	edge := plan.Edge{From: from.name, To: to.name}
	if !s.hasLocked(from) || !s.hasLocked(to) {
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
	s.edges = slices.DeleteFunc(s.edges, func(e plan.Edge) bool { return e == plan.Edge{From: from.name, To: to.name} })
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
	if !s.hasLocked(b.leg) {
		s.mu.Unlock()
		return nil, ErrClosed
	}
	before := b.leg.playing
	b.leg.playing = b
	err := s.applyLocked()
	s.mu.Unlock()
	s.resound(b.leg)
	if before != nil {
		before.Stop()
	}
	if err != nil {
		b.then = nil // who asked is told here
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
	if now := b.leg.state.Load(); now != state && b.leg.playing == b {
		b.agree(now)
	}
}

// played gives the leg back to whom it was joined to.
func (s *Session) played(b *Playback) {
	s.mu.Lock()
	if b.leg.playing != b {
		s.mu.Unlock()
		return
	}
	b.leg.playing = nil
	err := s.applyLocked()
	s.mu.Unlock()
	if err != nil {
		s.log().Error("restore routes after a clip", "leg", b.leg.name, "error", err)
	}
	s.resound(b.leg)
}

func (s *Session) graphLocked() plan.Graph {
	g := plan.Graph{Legs: make(map[string]codec.Codec, len(s.legs)), Edges: s.edges}
	for _, l := range s.legs {
		g.Legs[l.name] = l.spoken()
		mark(&g.Tapped, l.name, l.isTapped())
		mark(&g.Monitored, l.name, len(l.monitors.all()) > 0)
		mark(&g.Playing, l.name, l.playing != nil)
		mark(&g.Fed, l.name, l.fed != nil)
		mark(&g.Aside, l.name, l.aside.Load())
		mark(&g.Apart, l.name, l.carrier.Load().apart)
		mark(&g.Hushed, l.name, l.hushes())
	}
	s.linkLocked(&g)
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
func (s *Session) planLocked() (plan.Rules, error) {
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
	rules, err := s.planLocked()
	if err != nil {
		return err
	}
	for _, l := range s.legs {
		rule := rules[l.name]
		if rule.Equal(l.applied) {
			continue
		}
		if err := s.routeLocked(l, rule); err != nil {
			return fmt.Errorf("route leg %s: %w", l.name, err)
		}
		l.applied = rule
	}
	return nil
}

func (s *Session) routeLocked(l *Leg, r plan.Rule) error {
	var targets []*forwarder
	for _, f := range r.Forward {
		target, err := newForwarder(s.reachLocked(f.To), f)
		if err != nil {
			return err
		}
		targets = append(targets, target)
	}
	l.forward.Store(&targets)
	route := Route{Copy: r.Copied()}
	l.relayed.Store(nil)
	if r.Relay != "" {
		to := s.reachLocked(r.Relay)
		l.relayed.Store(to)
		route.To = to.carrier.Load().PlaneLeg
	}
	return l.carrier.Load().Route(route)
}

func (s *Session) closeLeg(l *Leg) error {
	s.mu.Lock()
	playing := l.playing
	s.mu.Unlock()
	if playing != nil {
		playing.Stop()
	}
	detached := s.detach(l)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(s.legs, l) {
		return nil
	}
	s.edges = slices.DeleteFunc(s.edges, func(e plan.Edge) bool { return e.From == l.name || e.To == l.name })
	err := s.applyLocked()
	s.legs = slices.DeleteFunc(s.legs, func(o *Leg) bool { return o == l })
	return errors.Join(detached, err, s.endLocked(l))
}

// endLocked ends a leg and keeps what it carried.
func (s *Session) endLocked(l *Leg) error {
	summary, err := s.engine.release(l)
	if n := summary.Stats.Dropped[overrun]; n > 0 {
		s.log().Warn("packets lost, perhaps keys among them: the platform was too slow", "leg", l.name, "packets", n)
	}
	s.closed = append(s.closed, summary)
	return err
}

// Close ends every leg, frees the ports and tells what each carried: those that
// ended before, then the others in the order in which they were opened.
func (s *Session) Close() []Summary {
	s.mu.Lock()
	s.over = true
	var playing []*Playback
	for _, l := range s.legs {
		if l.playing != nil {
			playing = append(playing, l.playing)
		}
	}
	s.mu.Unlock()
	for _, b := range playing {
		b.Stop()
	}
	if err := s.detach(nil); err != nil {
		s.log().Error("end links to other calls", "error", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.legs {
		if err := s.endLocked(l); err != nil {
			s.log().Error("close leg", "leg", l.name, "error", err)
		}
	}
	s.legs = nil
	return s.closed
}
