package player

import (
	"math"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// maxLag is how late a tick may be and still be made up for. What is later moves
	// all that follows, so that a stall does not become a burst.
	maxLag = 20
	// slack is how much later than asked for the kernel may wake the player.
	slack = 5 * time.Microsecond
)

// run serves the wheel until Close. Its thread is its own: it is where the plane
// is, and is woken on time.
func (p *Player) run(started chan<- error) {
	defer close(p.done)
	runtime.LockOSThread() // for good: the thread ends with the goroutine
	err := p.plane.Enter()
	if err == nil {
		err = unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(slack), 0, 0, 0)
	}
	p.realTime = goFirst() == nil
	started <- err
	if err != nil {
		return
	}
	for {
		until, forever, ok := p.turn()
		if !ok {
			return
		}
		p.bell.wait(until, forever)
	}
}

// goFirst has the thread run before all that is in no such hurry, which is why
// recordings do not falter while calls arrive: it works for a moment each
// millisecond. The kernel leaves a share of the CPU to others even if it does not
// stop (sched_rt_runtime_us). It takes CAP_SYS_NICE, or RLIMIT_RTPRIO.
func goFirst() error {
	return unix.SchedSetAttr(0, &unix.SchedAttr{
		Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: 1, Flags: unix.SCHED_FLAG_RESET_ON_FORK,
	}, 0)
}

// turn sends what is due, and tells when the next is.
func (p *Player) turn() (until time.Time, forever, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return time.Time{}, false, false
	}
	begin := time.Now()
	p.catchUpLocked(begin)
	p.stats.Busy += time.Since(begin)
	next, any := p.wheel.next()
	if !any {
		p.wakeAt = math.MaxUint64
		return time.Time{}, true, true
	}
	p.wakeAt = next
	return p.wheel.time(next), false, true
}

// catchUpLocked serves all ticks up to a time.
func (p *Player) catchUpLocked(now time.Time) {
	target := p.wheel.at(now)
	next, any := p.wheel.next()
	if any && target > next+maxLag {
		p.wheel.begin = p.wheel.begin.Add(time.Duration(target-next) * tick)
		p.stats.Stalls++
		target = next
	}
	for any && next <= target {
		p.tickLocked(next)
		next, any = p.wheel.next()
	}
	p.wheel.pass(target)
}

// tickLocked serves the streams that are due at a tick.
func (p *Player) tickLocked(t uint64) {
	p.wheel.pass(t)
	due := p.wheel.slots[t%slots]
	p.wheel.slots[t%slots] = due[:0]
	p.wheel.count -= len(due)
	list, _ := p.out.memory()
	for i, s := range due {
		due[i], s.place = nil, -1
		if len(p.list) == len(list) {
			p.sendLocked()
		}
		if p.serveLocked(s, &list[len(p.list)]) {
			p.wheel.put(s, t+uint64(s.span))
		}
	}
	p.sendLocked()
	p.stats.Ticks++
	if time.Now().After(p.wheel.time(t + 1)) {
		p.stats.Missed++
	}
}

// serveLocked finds what a stream says next and lists it. False: nothing any more.
func (p *Player) serveLocked(s *Stream, due *playerDue) bool {
	for len(s.queue) > 0 {
		first := &s.queue[0]
		a := first.clip.audio.Load()
		size := s.size(first.clip.format)
		switch {
		case s.at < a.length && (a.ended || s.at+size <= a.length):
			p.listLocked(s, a, due)
			return true
		case !a.ended:
			if first.started {
				p.stats.Underruns++
			}
			s.marker = true
			return true
		case first.repeat != 0 && a.length > 0:
			s.at = 0
			if first.repeat > 0 {
				first.repeat--
			}
		default:
			p.finishLocked(s, a.err)
		}
	}
	s.marker = true
	p.events.add(s, Event{Kind: Drained})
	return false
}

// listLocked lists the next packet of the clip that plays, unless nobody is to
// hear it.
func (p *Player) listLocked(s *Stream, a *audio, due *playerDue) {
	first := &s.queue[0]
	size := s.size(first.clip.format)
	if !first.started {
		first.started = true
		p.events.add(s, Event{Kind: Started, Mark: first.mark})
	}
	if s.muted {
		s.marker = true
	} else {
		*due = playerDue{
			LegId: s.leg.ID(), Slot: s.leg.Slot(), Page: a.pages[s.at/pageOwn],
			Ticks: uint32(size), Offset: uint16(s.at % pageOwn), Length: uint16(size),
			Type: s.payloadType,
		}
		if s.marker {
			due.Marker, s.marker = 1, false
		}
		p.list = append(p.list, s)
	}
	s.at += size
}

// finishLocked ends the clip that plays and begins the next.
func (p *Player) finishLocked(s *Stream, err error) {
	first := &s.queue[0]
	p.events.add(s, Event{Kind: Finished, Mark: first.mark, Offset: s.offsetLocked(), Err: err})
	p.store.release(first.clip)
	n := copy(s.queue, s.queue[1:])
	s.queue[n] = item{}
	s.queue, s.at = s.queue[:n], 0
	if n > 0 {
		s.at = s.queue[0].from
	}
}

// sendLocked sends what is listed.
func (p *Player) sendLocked() {
	if len(p.list) == 0 {
		return
	}
	p.stats.Sent += uint64(len(p.list))
	p.stats.Handed += uint64(p.out.send(p.list, p.refusedLocked))
	for i, s := range p.list {
		s.trouble.said++
		p.list[i] = nil
	}
	p.list = p.list[:0]
}

// refusedLocked notes that a packet did not leave. A stream whose packets have not
// for a while is given up, as what it says is not heard.
func (p *Player) refusedLocked(i int, err error) {
	s := p.list[i]
	p.stats.Sent--
	p.stats.Refused++
	s.marker = true
	if s.trouble.note(s.span, err) {
		p.events.add(s, Event{Kind: Failed, Mark: s.queue[0].mark, Offset: s.offsetLocked(), Err: err})
		s.stopLocked()
	}
}

// joinLocked puts a stream that has something to say into the wheel.
func (p *Player) joinLocked(s *Stream) {
	if p.closed || s.paused || s.place >= 0 || len(s.queue) == 0 {
		return
	}
	now := p.wheel.at(time.Now())
	if next, any := p.wheel.next(); !any || next > now {
		p.wheel.pass(now)
	}
	if due := p.wheel.join(s); due < p.wakeAt {
		p.bell.ring()
	}
}
