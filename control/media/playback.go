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
	failed int // frames in a row
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
	p.mu.Unlock()
	if ended {
		return
	}
	p.leg.session.played(p)
	close(p.done)
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
		switch {
		case now.Before(at):
			return at, playing, nil
		case p.next == p.total:
			return at, heard, nil
		case sent == catchUp:
			p.start = p.start.Add(now.Sub(at) + p.span)
			return now.Add(p.span), playing, nil
		}
		if err := p.sendLocked(); err != nil {
			return at, heard, err
		}
	}
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
