package player

import (
	"math"
	"sync/atomic"
	"time"

	"mcp/bpf/ktime"
)

const (
	// maxLag is how late a tick may be and still be made up for. What is later moves
	// all that follows, so that a stall does not become a burst.
	maxLag = 20
	// wakeLag is how long before it is woken the pacer looks for what is due: less
	// than the shortest packet.
	wakeLag = 5
	asleep  = math.MaxUint64 // nothing is due: whoever adds something wakes the pacer
	// share is how much of the work done is rested at least, one part in so many, and
	// leastRest what is worth it: the machine goes on even if there are more streams than
	// it can carry, and the pacer goes before all else.
	share     = 19 // 5 in 100 of the time
	leastRest = uint64(200 * time.Microsecond)
	// reliefLag is how much later than the pacer another comes that does its work when it
	// is kept from it, and reliefShare that one's share.
	reliefLag   = uint64(250 * time.Microsecond)
	reliefShare = 1 // half of the time
	// reliefLook is how long it looks whether the pacer is at work: many packets take long.
	reliefLook = uint64(50 * time.Microsecond)
)

// pacer has what is due sent, each millisecond. It works on memory that it shares
// with the player and waits for nobody. Another one may work on the same memory: each
// packet is sent by who comes first.
type pacer struct {
	pace   *playerPace
	clock  ktime.Clock
	slots  []playerSlot
	send   func(turn) error // a packet of each stream that is left of a turn
	bell   *bell            // wakes it
	news   *bell            // it rings when userspace must look at streams
	lag    uint64           // ns that it comes later than what is due
	share  uint64           // of its work that is rested
	relief *bell            // wakes one that relieves this one; nil: there is none
	owed   uint64           // ns of rest, for what it worked
	missed uint64           // the last tick that it was too late for
}

// run serves until the bell is told to end it, or sending is not possible.
func (p *pacer) run() error {
	for {
		p.wakeAt(asleep)
		if err := p.catchUp(p.clock.Now()); err != nil {
			return err
		}
		next, any := p.next()
		p.wakeAt(next)
		before := p.clock.Now()
		due := p.time(next)
		ended, err := p.bell.wait(max(due, before)-before, !any)
		now := p.clock.Now()
		p.owed -= min(p.owed, now-before)
		if ended || err != nil {
			return err
		}
		if !any && p.relief != nil {
			p.relief.ring()
		}
		// What was added meanwhile is due now, not whenever it would have been before.
		if t := p.at(now); t > wakeLag {
			p.skip(min(next-1, t-wakeLag))
		}
	}
}

// wakeAt says until when the pacer sleeps. One that comes later need not be woken.
func (p *pacer) wakeAt(t uint64) {
	if p.lag == 0 {
		atomic.StoreUint64(&p.pace.WakeAt, t)
	}
}

// at is the tick that goes on at a time.
func (p *pacer) at(now uint64) uint64 { return tickAt(p.pace, now-p.lag) }

func tickAt(pace *playerPace, now uint64) uint64 {
	return (now - atomic.LoadUint64(&pace.BeginNs)) / uint64(tick)
}

// time is when a tick begins.
func (p *pacer) time(t uint64) uint64 {
	return atomic.LoadUint64(&p.pace.BeginNs) + t*uint64(tick) + p.lag
}

func (p *pacer) turn() turn { return turn(atomic.LoadUint64(&p.pace.Turn)) }

// move goes on to another turn. False: others have gone on meanwhile.
func (p *pacer) move(from, to turn) bool {
	return atomic.CompareAndSwapUint64(&p.pace.Turn, uint64(from), uint64(to))
}

// after is the first turn behind one in which something is due, until a tick.
func (p *pacer) after(was turn, last uint64) (turn, bool) {
	t, first := was.tick(), spanOf(was.slot())+1
	for ; t <= last; t, first = t+1, shortest {
		for span := first; span <= longest; span++ {
			if atomic.LoadUint32(&p.pace.Streams[span]) == 0 {
				continue
			}
			slot := slotAt(span, t)
			if end := atomic.LoadUint64(&p.slots[slot].End); end > 0 {
				return turnOf(t, slot, uint32(end)), true
			}
		}
	}
	return 0, false
}

// next is the first tick that something is due in, of those that are not over.
func (p *pacer) next() (uint64, bool) {
	now := p.turn()
	if now.left() > 0 {
		return now.tick(), true
	}
	if next, any := p.after(now, now.tick()+uint64(longest)); any {
		return next.tick(), true
	}
	return asleep, false
}

// skip goes on to the end of a tick, unless something is still left of the present one.
func (p *pacer) skip(t uint64) {
	over := turnOf(t, slotAt(longest, t), 0)
	for was := p.turn(); was.left() == 0 && was < over && !p.move(was, over); was = p.turn() {
	}
}

// catchUp serves all ticks up to a time.
func (p *pacer) catchUp(now uint64) error {
	target := p.at(now)
	if next, any := p.next(); any && target > next+maxLag {
		p.putOff(target - next)
		target = next
	}
	for at := p.turn(); at.tick() <= target; at = p.turn() {
		if at.left() > 0 {
			if p.isServed(at) {
				continue
			}
			if err := p.serve(at); err != nil {
				return err
			}
			continue
		}
		next, any := p.after(at, target)
		if !any {
			break
		}
		if p.move(at, next) && next.tick() != at.tick() {
			atomic.AddUint64(&p.pace.Ticks, 1)
		}
	}
	p.skip(target)
	return nil
}

// isServed tells one that comes later whether who comes first is at work on a turn.
func (p *pacer) isServed(t turn) bool {
	if p.lag == 0 {
		return false
	}
	p.bell.rest(reliefLook)
	return p.turn() != t
}

// putOff has all that follows be due so many ticks later.
func (p *pacer) putOff(ticks uint64) {
	begin := atomic.LoadUint64(&p.pace.BeginNs)
	if atomic.CompareAndSwapUint64(&p.pace.BeginNs, begin, begin+ticks*uint64(tick)) {
		atomic.AddUint64(&p.pace.Stalls, 1)
	}
}

// serve sends what is left of a turn, and rests.
func (p *pacer) serve(t turn) error {
	begin, reported := p.clock.Now(), atomic.LoadUint32(&p.pace.Reported)
	if err := p.send(t); err != nil {
		return err
	}
	if atomic.LoadUint32(&p.pace.Reported) != reported {
		p.news.ring()
	}
	now := p.clock.Now()
	atomic.AddUint64(&p.pace.BusyNs, now-begin)
	if now > p.time(t.tick()+1)-p.lag && p.missed != t.tick() {
		p.missed = t.tick()
		atomic.AddUint64(&p.pace.Missed, 1)
	}
	if p.owed += (now - begin) / p.share; p.owed > leastRest {
		p.bell.rest(p.owed)
		p.owed = 0
	}
	return nil
}

// turn is where pacers have come to, read as one word; see enum turn_layout.
type turn uint64

const (
	turnLeft = int(playerTurnLayoutTURN_LEFT)
	turnSlot = int(playerTurnLayoutTURN_SLOT)
)

// turnOf is so many places of a slot that is due at a tick. There are ticks for 17 years.
func turnOf(tick uint64, slot, left uint32) turn {
	return turn(tick<<(turnSlot+turnLeft) | uint64(slot)<<turnLeft | uint64(left))
}

func (t turn) left() uint32 { return uint32(t) & (1<<turnLeft - 1) }
func (t turn) slot() uint32 { return uint32(t>>turnLeft) & (1<<turnSlot - 1) }
func (t turn) tick() uint64 { return uint64(t) >> (turnSlot + turnLeft) }

// slotAt is the slot that is due at a tick, of streams with packets of a length.
func slotAt(span int, t uint64) uint32 {
	before := (span*(span-1) - shortest*(shortest-1)) / 2 // slots of shorter packets
	return uint32(before) + uint32(t%uint64(span))
}

// spanOf is how long packets are whose streams are in a slot.
func spanOf(slot uint32) int {
	span := shortest
	for slot >= slotAt(span+1, 0) {
		span++
	}
	return span
}

// tick is how finely streams are spread over time.
const tick = time.Millisecond

// The shortest and the longest packet, in ticks.
const (
	shortest = int(playerSlotLayoutMIN_SPAN)
	longest  = int(playerSlotLayoutMAX_SPAN)
)
