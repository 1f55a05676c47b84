package player

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"mcp/bpf"
)

const (
	// maxLag is how late a tick may be and still be made up for. What is later moves
	// all that follows, so that a stall does not become a burst.
	maxLag = 20
	// slack is how much later than asked for the kernel may wake the player.
	slack = 5 * time.Microsecond
	// foremost is the nice value of what goes before all else, and slice for how long
	// it then works without being asked to let others.
	foremost, slice = -20, 200 * time.Microsecond
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
	p.first = goFirst() == nil
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
// millisecond, and says so by its slice, which the kernel takes from Linux 6.12 on.
// It takes CAP_SYS_NICE, or RLIMIT_NICE.
//
// A real-time policy would not do. Leaving a system call, the Go runtime spins until
// the garbage collector has let go of the goroutine; a collector whose CPU this
// thread has taken then never does, and the process stands still for up to a second.
func goFirst() error {
	return unix.SchedSetAttr(0, &unix.SchedAttr{
		Size: unix.SizeofSchedAttr, Policy: unix.SCHED_NORMAL, Nice: foremost, Runtime: uint64(slice), Flags: unix.SCHED_FLAG_RESET_ON_FORK,
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
	for span := range p.wheel.turns {
		if p.wheel.turns[span].count == 0 {
			continue
		}
		due := p.wheel.slot(span, t)
		for i := len(due.asks) - 1; i >= 0; i-- { // they may leave the list
			p.serveLocked(due.asks[i])
		}
		p.sendLocked(due)
	}
	p.stats.Ticks++
	if time.Now().After(p.wheel.time(t + 1)) {
		p.stats.Missed++
	}
}

// serveLocked finds what a stream says next, for as long as nobody need look again.
func (p *Player) serveLocked(s *Stream) {
	p.recallLocked(s)
	for len(s.queue) > 0 {
		first := &s.queue[0]
		a := first.clip.audio.Load()
		size := s.size(first.clip.format)
		switch {
		case s.at < a.length && (a.ended || s.at+size+s.lead(first) <= a.length):
			p.grantLocked(s, a, size)
			return
		case !a.ended:
			if first.started {
				p.stats.Underruns++
			}
			s.marker = true
			return
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
	p.leaveLocked(s)
	p.events.add(s, Event{Kind: Drained})
}

// lead is what is awaited besides the next packet.
func (s *Stream) lead(i *item) int {
	if i.live && s.marker {
		return octets(i.clip, 60*time.Millisecond)
	}
	return 0
}

// recallLocked takes back what a stream was to say next, and has it looked at.
func (p *Player) recallLocked(s *Stream) {
	if s.slot == nil {
		return
	}
	prompt := p.desk.prompt(s)
	s.at += s.saidOf(prompt)
	prompt.Left, s.granted = 0, 0
	s.ask()
}

// saidOf is how much was said of what was granted, in octets.
func (s *Stream) saidOf(p *playerPrompt) int { return (s.granted - int(p.Left)) * int(p.Length) }

// grantLocked lets a stream say what there is of the clip that plays, up to the end
// of the page; a packet is skipped if nobody is to hear it.
func (p *Player) grantLocked(s *Stream, a *audio, size int) {
	first := &s.queue[0]
	if !first.started {
		first.started = true
		p.events.add(s, Event{Kind: Started, Mark: first.mark})
	}
	if first.live {
		first.clip.forget(s.at)
	}
	if s.muted {
		s.marker = true
		s.at += size
		return
	}
	offset, there := s.at%pageOwn, a.length-s.at
	if a.ended {
		there += size - 1 // the last packet is filled up
	}
	s.granted = min(there/size, (pageOwn-offset+size-1)/size)
	prompt := p.desk.prompt(s)
	prompt.Page, prompt.Offset, prompt.Length = a.pages[s.at/pageOwn], uint16(offset), uint16(size)
	prompt.Ticks, prompt.Type, prompt.Left = uint16(size), s.payloadType, uint16(s.granted)
	if s.marker {
		prompt.Marker, s.marker = 1, false
	}
	s.answered()
}

// finishLocked ends the clip that plays and begins the next.
func (p *Player) finishLocked(s *Stream, err error) {
	first := &s.queue[0]
	p.events.add(s, Event{Kind: Finished, Mark: first.mark, Offset: p.offsetLocked(s), Err: err})
	p.store.release(first.clip)
	n := copy(s.queue, s.queue[1:])
	s.queue[n] = item{}
	s.queue, s.at = s.queue[:n], 0
	if n > 0 {
		s.at = s.queue[0].from
	}
}

// look is at a stream: it has nothing left to say, or its packet did not leave.
type look struct {
	stream *Stream
	err    error
}

// sendLocked sends a packet of each stream in a slot.
func (p *Player) sendLocked(due *slot) {
	for from := 0; from < due.count; from += rowsOfRun * rowLength {
		rows := due.rows[from/rowLength:]
		n := min(due.count-from, rowsOfRun*rowLength)
		done := p.out.send(&p.desk, rows, n, func(place uint32, err error) {
			p.desk.looks = append(p.desk.looks, look{p.desk.streams[place], err})
		})
		p.stats.Sent += uint64(done.packets)
		p.stats.Handed += uint64(done.handed)
	}
	for i, l := range p.desk.looks {
		l.stream.ask()
		if l.err != nil {
			p.refusedLocked(l.stream, l.err)
		}
		p.desk.looks[i] = look{}
	}
	p.desk.looks = p.desk.looks[:0]
}

// patience is how long a stream's packets may all be refused: a route or a
// neighbour may come back.
const patience = time.Second

// refusedLocked notes that a packet did not leave. A stream whose packets have not
// for a while is given up, as what it says is not heard. That the far end is not to
// hear anything is no trouble.
func (p *Player) refusedLocked(s *Stream, err error) {
	p.stats.Refused++
	prompt := p.desk.prompt(s)
	var refusal *bpf.DropError
	if errors.As(err, &refusal) && refusal.Unheard() {
		prompt.Refused = 0
	}
	if int(prompt.Refused)*s.span >= int(patience/tick) {
		p.events.add(s, Event{Kind: Failed, Mark: s.queue[0].mark, Offset: p.offsetLocked(s), Err: err})
		p.stopLocked(s)
	}
}

// joinLocked has a stream play if it has something to say.
func (p *Player) joinLocked(s *Stream) error {
	if p.closed || s.paused || s.slot != nil || len(s.queue) == 0 {
		return nil
	}
	now := p.wheel.at(time.Now())
	if next, any := p.wheel.next(); !any || next > now {
		p.wheel.pass(now)
	}
	due := p.wheel.choose(s.span)
	if !p.desk.add(s, p.wheel.slot(s.span, due)) {
		return fmt.Errorf("play to leg %s: %w", s.leg.Local(), ErrCrowded)
	}
	p.wheel.count++
	p.wheel.turns[s.span].count++
	s.ask()
	if due < p.wakeAt {
		p.bell.ring()
	}
	return nil
}

// leaveLocked has a stream not play any more.
func (p *Player) leaveLocked(s *Stream) {
	if s.slot == nil {
		return
	}
	p.recallLocked(s)
	s.answered()
	p.desk.remove(s)
	p.wheel.count--
	p.wheel.turns[s.span].count--
}
