package media

import (
	"sync"
	"time"

	"mcp/control/media/codec"
)

// frame is what one packet carries unless the far end asks otherwise.
const frame = 20 * time.Millisecond

// catchUp is how many frames a late pacer sends at once; what is due beyond
// that is played later, so that a stall does not become a burst.
const catchUp = 5

// patience is how many frames in a row may fail to leave before a playback
// gives up: a second, in which a route or a neighbour may come back.
const patience = 50

// script is what is played, as frames.
type script interface {
	frames() int
	// frame is what is sent in the n-th; false: nothing. The bytes are valid until the next call.
	frame(n int, to *legState) (Payload, bool, error)
}

// growing is a script that is still being written.
type growing interface {
	script
	// reaches tells whether the n-th frame is there, and else whether it will never
	// be, and why that is.
	reaches(n int) (there, over bool, err error)
}

// Player is a Plane that plays recordings by itself, at less cost than that of
// packets sent to it one by one.
type Player interface {
	// Play begins a recording on a leg of the plane. An error: it cannot be played
	// so; it may be sent packet by packet all the same.
	Play(PlaneLeg, Recording) (Voice, error)
}

// PlayOptions say how a clip is played. The zero value plays it once, from its
// beginning.
type PlayOptions struct {
	From   time.Duration // where it begins
	Repeat int           // how often more, from its beginning; negative: until it is stopped
	// Ended is told once, after Done, what Err tells; it must not block. Nil: nobody.
	Ended func(error)
}

// Recording is what a Player is to play, and to whom.
type Recording struct {
	PlayOptions
	Clip        *Clip
	Live        *Live       // is played instead of a clip, unless it is nil
	Codec       codec.Codec // what it is heard in; a clip's own
	PayloadType uint8
	Ptime       time.Duration
	Muted       bool        // time goes on, but nothing is sent
	Done        func(error) // told once: the last packet's time is over, or it failed; must not block
}

// Voice is a Recording that plays.
type Voice interface {
	// Agree follows what was agreed with the far end meanwhile: the recording's
	// payload type, whether it is heard, and its codec, in which it goes on where it is.
	Agree(Recording)
	// Hold pauses it, or goes on with it.
	Hold(paused bool)
	// Seek goes on from another place; Position is how much has been said.
	Seek(time.Duration)
	Position() time.Duration
	// Stop ends it: no packet leaves after it returns, and Done is not told any more
	// unless it was on its way.
	Stop()
}

// Playback is something being played to a leg.
type Playback struct {
	leg    *Leg
	script script
	total  int           // frames
	span   time.Duration // of a frame
	done   chan struct{}

	due   time.Time // guarded by the pacer's lock
	place int       // the same; in the pacer's queue

	mu sync.Mutex // guards what follows
	progress
	then   func(error)
	failed int   // frames in a row
	voice  Voice // that plays it; nil: the pacer does
	ended  bool
	err    error
}

// progress is how far a playback has come.
type progress struct {
	next   int       // frame
	start  time.Time // when the first was due, were there no pauses
	repeat int
	paused bool
	gap    bool          // something is missing before the next frame
	said   time.Duration // when it had ended
}

func newPlayback(leg *Leg, s script, span time.Duration) *Playback {
	return &Playback{
		leg: leg, script: s, total: s.frames(), span: span, done: make(chan struct{}), progress: progress{gap: true},
	}
}

// as has a clip played with options.
func (p *Playback) as(o PlayOptions) *Playback {
	p.next, p.repeat, p.then = p.frameAt(o.From), o.Repeat, o.Ended
	return p
}

// frameAt is the frame of a place in the clip.
func (p *Playback) frameAt(offset time.Duration) int {
	return min(max(0, int(offset/p.span)), p.total)
}

// Pause holds back a clip that plays, until Resume: no frame leaves after it
// returns.
func (p *Playback) Pause() { p.hold(true) }

// Resume goes on after Pause.
func (p *Playback) Resume() { p.hold(false) }

func (p *Playback) hold(paused bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return
	}
	p.paused, p.gap = paused, true
	if p.voice != nil {
		p.voice.Hold(paused)
	}
}

// Seek goes on from another place in a clip that plays, at the next frame. What
// is not a clip, or still grows, stays where it is.
func (p *Playback) Seek(offset time.Duration) {
	if _, ok := p.script.(*clipScript); !ok {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return
	}
	to := p.frameAt(offset)
	if !p.start.IsZero() {
		p.start = p.start.Add(time.Duration(p.next-to) * p.span)
	}
	p.next, p.gap = to, true
	if p.voice != nil {
		p.voice.Seek(offset)
	}
}

// Position is how much of a clip has been said, in its present turn.
func (p *Playback) Position() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.positionLocked()
}

func (p *Playback) positionLocked() time.Duration {
	switch {
	case p.ended:
		return p.said
	case p.voice != nil:
		return p.voice.Position()
	}
	return time.Duration(p.next) * p.span
}

// Done is closed when the last frame has been heard or Stop has taken effect.
func (p *Playback) Done() <-chan struct{} { return p.done }

// Err tells, after Done, why it was not played to its end; nil if it was, or
// was stopped.
func (p *Playback) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// Stop ends the playback: no frame leaves after it returns.
func (p *Playback) Stop() { p.finish(nil) }

func (p *Playback) finish(err error) {
	p.mu.Lock()
	ended := p.ended
	if !ended {
		p.err, p.said = err, p.positionLocked()
	}
	p.ended = true
	voice := p.voice
	p.mu.Unlock()
	if ended {
		return
	}
	if voice != nil {
		voice.Stop()
	}
	p.leg.session.played(p)
	close(p.done)
	if p.then != nil {
		p.then(err)
	}
}

// recording is what is played as a leg is to hear it from now on; false: a plane cannot
// play it by itself, or the leg is not connected.
func (p *Playback) recording(state *legState) (Recording, bool) {
	if state == nil {
		return Recording{}, false
	}
	r := Recording{Codec: state.codec, PayloadType: state.far.PayloadType, Ptime: p.span, Muted: !state.speaks()}
	switch s := p.script.(type) {
	case *liveScript:
		if !s.live.codec.Same(state.codec) && !isLaw(state.codec) {
			return Recording{}, false
		}
		r.Live = s.live
	case *clipScript:
		if s.clip.packets != nil {
			return Recording{}, false
		}
		clip, err := s.clip.in(state.codec)
		if err != nil {
			return Recording{}, false
		}
		r.Clip = clip
	default:
		return Recording{}, false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	r.PlayOptions = PlayOptions{From: time.Duration(p.next) * p.span, Repeat: p.repeat}
	return r, true
}

// entrust has the plane play it, if it can.
func (p *Playback) entrust(to Player, done func(error)) bool {
	state := p.leg.state.Load()
	r, ok := p.recording(state)
	if !ok {
		return false
	}
	r.Done = done
	voice, err := to.Play(p.leg.carrier.Load().PlaneLeg, r)
	if err != nil {
		p.leg.session.log().Debug("played packet by packet", "leg", p.leg.name, "reason", err)
		return false
	}
	p.mu.Lock()
	p.voice = voice
	ended := p.ended
	p.mu.Unlock()
	if ended {
		voice.Stop()
		return true
	}
	p.leg.session.agreedSince(p, state)
	return true
}

// agree tells the plane what the far end is to hear from now on.
func (p *Playback) agree(state *legState) {
	p.mu.Lock()
	voice := p.voice
	p.mu.Unlock()
	if voice == nil {
		return
	}
	if r, ok := p.recording(state); ok {
		voice.Agree(r)
	}
}

// playState is where a playback is after a step.
type playState uint8

const (
	playing playState = iota
	heard             // the last frame's time is over, or it failed
	stopped
)

// step sends the frames that are due at now. While it plays it tells when the
// next is due.
func (p *Playback) step(now time.Time) (time.Time, playState, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return time.Time{}, stopped, nil
	}
	if p.paused {
		due := now.Add(p.span)
		p.dueLocked(due)
		return due, playing, nil
	}
	if p.start.IsZero() {
		p.dueLocked(now)
	}
	for sent := 0; ; sent++ {
		at := p.start.Add(time.Duration(p.next) * p.span)
		if now.Before(at) {
			return at, playing, nil
		}
		there, over, err := p.reachesLocked()
		switch {
		case over && err == nil && p.rewindLocked(at):
			continue
		case over:
			return at, heard, err
		case !there:
			p.start = p.start.Add(now.Sub(at) + nap)
			return now.Add(nap), playing, nil
		case sent == catchUp:
			p.start = p.start.Add(now.Sub(at) + p.span)
			return now.Add(p.span), playing, nil
		}
		if err := p.sendLocked(); err != nil {
			return at, heard, err
		}
	}
}

// dueLocked has the next frame leave at a time.
func (p *Playback) dueLocked(at time.Time) { p.start = at.Add(-time.Duration(p.next) * p.span) }

// reachesLocked tells whether there is a next frame.
func (p *Playback) reachesLocked() (there, over bool, err error) {
	if g, ok := p.script.(growing); ok {
		return g.reaches(p.next)
	}
	return p.next < p.total, p.next == p.total, nil
}

// rewindLocked begins a clip again that is to be repeated.
func (p *Playback) rewindLocked(now time.Time) bool {
	if p.repeat == 0 || p.total == 0 {
		return false
	}
	if p.repeat > 0 {
		p.repeat--
	}
	p.next, p.start = 0, now
	return true
}

func (p *Playback) sendLocked() error {
	state := p.leg.state.Load()
	payload, something, err := p.script.frame(p.next, state)
	p.next++
	if err != nil || !something {
		return err
	}
	payload.Marker = payload.Marker || p.gap
	if err = p.leg.send(state, payload); err == nil {
		p.gap = false
		p.failed = 0
		return nil
	}
	if p.failed++; p.failed < patience {
		return nil
	}
	return err
}
