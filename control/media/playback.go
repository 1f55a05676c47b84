package media

import (
	"sync"
	"time"
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

// Recording is what a Player is to play, and to whom.
type Recording struct {
	Clip        *Clip
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

	mu     sync.Mutex // guards what follows
	next   int        // frame
	start  time.Time
	failed int   // frames in a row
	voice  Voice // that plays it; nil: the pacer does
	ended  bool
	err    error
}

func newPlayback(leg *Leg, s script, span time.Duration) *Playback {
	return &Playback{leg: leg, script: s, total: s.frames(), span: span, done: make(chan struct{})}
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
	p.ended = true
	if !ended {
		p.err = err
	}
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
}

// recording is a playback's clip as a leg is to hear it; false: it is no clip, or
// the leg is not connected.
func (p *Playback) recording(state *legState) (Recording, bool) {
	s, ok := p.script.(*clipScript)
	if !ok || state == nil {
		return Recording{}, false
	}
	clip, err := s.clip.in(state.codec)
	if err != nil {
		return Recording{}, false
	}
	return Recording{Clip: clip, PayloadType: state.far.PayloadType, Ptime: p.span, Muted: !state.speaks()}, true
}

// entrust has the plane play it, if it can.
func (p *Playback) entrust(to Player, done func(error)) bool {
	r, ok := p.recording(p.leg.state.Load())
	if !ok {
		return false
	}
	r.Done = done
	voice, err := to.Play(p.leg.plane, r)
	if err != nil {
		p.leg.session.log.Debug("played packet by packet", "leg", p.leg.name, "reason", err)
		return false
	}
	p.mu.Lock()
	p.voice = voice
	ended := p.ended
	p.mu.Unlock()
	if ended {
		voice.Stop()
	}
	return true
}

// agree tells the plane what the far end is to hear from now on.
func (p *Playback) agree(state *legState) {
	p.mu.Lock()
	voice := p.voice
	p.mu.Unlock()
	if r, ok := p.recording(state); ok && voice != nil {
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
	if p.start.IsZero() {
		p.start = now
	}
	for sent := 0; ; sent++ {
		at := p.start.Add(time.Duration(p.next) * p.span)
		if now.Before(at) {
			return at, playing, nil
		}
		there, over, err := p.reachesLocked()
		switch {
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

// reachesLocked tells whether there is a next frame.
func (p *Playback) reachesLocked() (there, over bool, err error) {
	if g, ok := p.script.(growing); ok {
		return g.reaches(p.next)
	}
	return p.next < p.total, p.next == p.total, nil
}

func (p *Playback) sendLocked() error {
	state := p.leg.state.Load()
	payload, something, err := p.script.frame(p.next, state)
	p.next++
	if err != nil || !something {
		return err
	}
	if err = p.leg.send(state, payload); err == nil {
		p.failed = 0
		return nil
	}
	if p.failed++; p.failed < patience {
		return nil
	}
	return err
}
