package media

import (
	"sync"
	"time"
)

// frame is what one packet of a clip carries unless the far end asks otherwise.
const frame = 20 * time.Millisecond

// catchUp is how many frames a late pacer sends at once; what is due beyond
// that is played later, so that a stall does not become a burst.
const catchUp = 5

// Playback is a clip being played to a leg.
type Playback struct {
	leg  *Leg
	clip *Clip
	size int           // octets in a frame
	span time.Duration // time in a frame
	done chan struct{}

	mu    sync.Mutex
	pos   int // octets sent
	start time.Time
	ended bool
	err   error
	buf   []byte
}

func newPlayback(leg *Leg, clip *Clip, ptime time.Duration) *Playback {
	if ptime <= 0 {
		ptime = frame
	}
	size := int(ptime.Seconds() * clipRate)
	return &Playback{leg: leg, clip: clip, size: size, span: ptime, done: make(chan struct{}), buf: make([]byte, size)}
}

// Done is closed when the last frame has been heard or Stop has taken effect.
func (p *Playback) Done() <-chan struct{} { return p.done }

// Err tells, after Done, why the clip was not played to its end; nil if it was,
// or was stopped.
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

// due sends the frames that are due at now. It tells when to come back, and
// whether there is anything to come back for.
func (p *Playback) due(now time.Time) (next time.Time, more bool) {
	next, state, err := p.step(now)
	if state == playing {
		return next, true
	}
	if state == heard || err != nil {
		p.finish(err)
	}
	return time.Time{}, false
}

type playState uint8

const (
	playing playState = iota
	heard             // the last frame's time is over
	stopped
)

func (p *Playback) step(now time.Time) (time.Time, playState, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return time.Time{}, stopped, nil
	}
	first := p.start.IsZero()
	if first {
		p.start = now
	}
	for sent := 0; p.pos < len(p.clip.payload); sent++ {
		at := p.start.Add(time.Duration(p.pos/p.size) * p.span)
		if now.Before(at) {
			return at, playing, nil
		}
		if sent == catchUp {
			p.start = p.start.Add(now.Sub(at))
			return now.Add(p.span), playing, nil
		}
		if err := p.sendLocked(first && p.pos == 0); err != nil {
			return time.Time{}, stopped, err
		}
	}
	end := p.start.Add(time.Duration(p.pos/p.size) * p.span)
	if now.Before(end) {
		return end, playing, nil
	}
	return time.Time{}, heard, nil
}

// sendLocked sends the next frame, the last filled up with silence.
func (p *Playback) sendLocked(marker bool) error {
	n := copy(p.buf, p.clip.payload[p.pos:])
	for i := n; i < len(p.buf); i++ {
		p.buf[i] = p.clip.codec.Silence()
	}
	p.pos += p.size
	return p.leg.sendAudio(p.buf, marker)
}

// pacer plays all playbacks of an engine from one goroutine and one clock.
type pacer struct {
	mu     sync.Mutex
	active map[*Playback]time.Time // when each is due next
	wake   chan struct{}
	quit   chan struct{}
	done   chan struct{}
}

func newPacer() *pacer {
	p := &pacer{
		active: map[*Playback]time.Time{}, wake: make(chan struct{}, 1),
		quit: make(chan struct{}), done: make(chan struct{}),
	}
	go p.run()
	return p
}

func (p *pacer) add(b *Playback) {
	p.mu.Lock()
	p.active[b] = time.Time{}
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func (p *pacer) run() {
	defer close(p.done)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		timer.Reset(p.tick(time.Now()))
		select {
		case <-timer.C:
		case <-p.wake:
		case <-p.quit:
			return
		}
	}
}

// tick sends what is due and tells how long to sleep.
func (p *pacer) tick(now time.Time) time.Duration {
	p.mu.Lock()
	ready := make([]*Playback, 0, len(p.active))
	for b, at := range p.active {
		if !at.After(now) {
			ready = append(ready, b)
		}
	}
	p.mu.Unlock()
	for _, b := range ready {
		next, more := b.due(now)
		p.mu.Lock()
		if more {
			p.active[b] = next
		} else {
			delete(p.active, b)
		}
		p.mu.Unlock()
	}
	return p.untilNext()
}

func (p *pacer) untilNext() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	sleep := time.Hour
	for _, at := range p.active {
		sleep = min(sleep, time.Until(at))
	}
	return max(sleep, 0)
}

func (p *pacer) close() {
	close(p.quit)
	<-p.done
}
