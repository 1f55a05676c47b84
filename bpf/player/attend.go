package player

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"
)

const (
	// ahead is how much before a stream has said all that there is the player looks
	// whether there is more by now, and lookAgain how often while there is not.
	ahead     = 100 * time.Millisecond
	lookAgain = 5 * time.Millisecond
	// patience is how long a stream's packets may all be refused: a route or a
	// neighbour may come back.
	patience = time.Second
)

// attend looks at streams that were reported, and at those that wait, until Close.
func (p *Player) attend(news *os.File) {
	defer close(p.done)
	defer news.Close()
	var count [8]byte
	for {
		_, err := news.Read(count[:])
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return // it cannot fail but by Close
		}
		again, ok := p.attendOnce()
		if !ok {
			return
		}
		if err := news.SetReadDeadline(again); err != nil {
			return
		}
	}
}

// attendOnce also tells when streams that wait are to be looked at again.
func (p *Player) attendOnce() (again time.Time, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return again, false
	}
	p.looking = true
	waited := p.waiting
	p.waiting = p.spare[:0]
	for i, s := range waited {
		s.waiting = false
		waited[i] = nil
		p.lookLocked(s)
	}
	p.spare = waited[:0]
	p.desk.told(p.lookLocked)
	p.looking = false
	if len(p.waiting) > 0 {
		again = time.Now().Add(lookAgain)
	}
	return again, true
}

// lookLocked sees what became of what a stream said, and grants it more.
func (p *Player) lookLocked(s *Stream) {
	if s.slot == nil {
		return
	}
	prompt := p.desk.prompt(s)
	c := prompt.claim()
	p.turnedLocked(s, c)
	p.startedLocked(s)
	if prompt.Refused >= prompt.Patience {
		p.failLocked(s, p.out.refusal(s.place))
		return
	}
	if first := &s.queue[0]; first.live {
		first.clip.forget(s.saidOf(c))
	}
	if c.any() && p.extendLocked(s) {
		p.aheadLocked(s)
		return
	}
	p.settleLocked(s)
	p.goOnLocked(s)
}

// startedLocked tells that a clip has begun, if its first packet has left.
func (p *Player) startedLocked(s *Stream) {
	if prompt := p.desk.prompt(s); s.telling && prompt.Tell == 0 {
		s.telling = false
		p.events.add(s, Event{Kind: Started, Mark: s.queue[0].mark, At: p.plane.Clock().Time(prompt.BegunNs)})
	}
}

// extendLocked lets a stream go on with what there is more of the clip that plays.
// False: it has said all that there was.
func (p *Player) extendLocked(s *Stream) bool {
	first, prompt := &s.queue[0], p.desk.prompt(s)
	a, size := first.clip.audio.Load(), s.size(first.clip.format)
	more := a.packets(s.at, size) - s.granted
	if more > 0 {
		if !prompt.giveMore(more) {
			return false
		}
		s.granted += more
	}
	prompt.Low = s.low(a)
	if !a.ended && prompt.claim().left() <= int(prompt.Low) {
		p.waitLocked(s)
	}
	return true
}

// settleLocked goes on to where a stream is that has nothing left to say. The next
// packet is due when the last one has been heard.
func (p *Player) settleLocked(s *Stream) {
	said := s.granted > 0
	p.recallLocked(s)
	if said {
		s.over = p.plane.Clock().Time(p.desk.prompt(s).DryNs).Add(time.Duration(s.span) * tick)
	}
}

// recallLocked takes back what a stream was to say next. When it returns no packet
// of it is being made.
func (p *Player) recallLocked(s *Stream) {
	if s.slot == nil || len(s.queue) == 0 {
		return
	}
	c := p.desk.prompt(s).recall()
	p.turnedLocked(s, c)
	s.at, s.granted, s.ahead = s.saidOf(c), 0, 0
	p.startedLocked(s)
}

// failLocked gives a stream up.
func (p *Player) failLocked(s *Stream, err error) {
	mark, offset := p.positionLocked(s)
	p.events.add(s, Event{Kind: Failed, Mark: mark, Offset: offset, Err: err})
	p.stopLocked(s)
}

// goOnLocked finds what a stream says next.
func (p *Player) goOnLocked(s *Stream) {
	for len(s.queue) > 0 {
		first := &s.queue[0]
		a, size := first.clip.audio.Load(), s.size(first.clip.format)
		p.lateLocked(s)
		switch {
		case a.packets(s.at, size) > 0 && (a.ended || s.at+size+s.lead(first) <= a.length):
			p.grantLocked(s, a, size)
			return
		case !a.ended:
			p.waitLocked(s)
			return
		case first.repeat != 0 && a.length > 0:
			s.at, first.repeat = 0, less(first.repeat)
		case len(s.queue) == 1 && time.Now().Before(s.over): // the last packet is being heard
			p.waitLocked(s)
			return
		default:
			p.finishLocked(s, a.err)
		}
	}
	s.marker = true
	p.leaveLocked(s)
	p.events.add(s, Event{Kind: Drained})
}

// lateLocked notes the packets that were due before there was anything to say.
func (p *Player) lateLocked(s *Stream) {
	first := &s.queue[0]
	if a := first.clip.audio.Load(); !first.started || a.ended && s.at >= a.length {
		return
	}
	for now := time.Now(); !s.over.IsZero() && now.After(s.over); s.over = s.over.Add(time.Duration(s.span) * tick) {
		s.marker = true
		p.underruns++
	}
}

// waitLocked has a stream looked at again in a while.
func (p *Player) waitLocked(s *Stream) {
	if s.waiting {
		return
	}
	s.waiting = true
	p.waiting = append(p.waiting, s)
	if len(p.waiting) == 1 && !p.looking {
		p.pacing.news.ring()
	}
}

// low is how many packets are left of a stream when it is looked at.
func (s *Stream) low(a *audio) uint16 {
	if a.ended {
		return 0
	}
	return uint16(max(1, int(ahead/tick)/s.span))
}

// grantLocked lets a stream say all that there is of the clip that plays.
func (p *Player) grantLocked(s *Stream, a *audio, size int) {
	first, prompt := &s.queue[0], p.desk.prompt(s)
	if !first.started {
		first.started, s.telling, prompt.Tell = true, true, 1
	}
	prompt.Page, prompt.Offset, prompt.Length = a.pages[s.at/pageOwn], uint16(s.at%pageOwn), uint16(size)
	prompt.Ticks, prompt.Type, prompt.Low = uint16(size), s.payloadType, s.low(a)
	prompt.Muted = 0
	if s.muted {
		prompt.Muted = 1
	}
	if s.marker {
		prompt.Marker, s.marker = 1, false
	}
	s.granted, s.over = a.packets(s.at, size), time.Time{}
	prompt.give(s.granted)
	if s.granted <= int(prompt.Low) {
		p.waitLocked(s)
	}
	p.aheadLocked(s)
}

// joinLocked has a stream play if it has something to say.
func (p *Player) joinLocked(s *Stream) error {
	if p.closed || s.paused || len(s.queue) == 0 {
		return nil
	}
	if s.slot == nil {
		due := p.desk.choose(s.span, tickAt(p.desk.pace, p.plane.Clock().Now()))
		if !p.desk.add(s, &p.desk.slots[slotAt(s.span, due)]) {
			return fmt.Errorf("play to leg %s: %w", s.leg.Local(), ErrCrowded)
		}
		defer func() {
			if due < atomic.LoadUint64(&p.desk.pace.WakeAt) {
				p.pacing.bell.ring()
			}
		}()
	}
	p.lookLocked(s)
	return nil
}

// leaveLocked has a stream not play any more.
func (p *Player) leaveLocked(s *Stream) {
	if s.slot == nil {
		return
	}
	p.recallLocked(s)
	p.desk.remove(s)
	s.telling, s.over = false, time.Time{}
}
