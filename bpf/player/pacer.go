package player

import (
	"math"
	"sync/atomic"
	"time"
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
)

// pacer has what is due sent, each millisecond. It works on memory that it shares
// with the player and waits for nobody.
type pacer struct {
	pace  *playerPace
	slots []playerSlot
	send  func(slot, end uint32) error // a packet of each stream in the first places of a slot
	bell  *bell                        // wakes it
	news  *bell                        // it rings when userspace must look at streams
	done  uint64                       // the last tick that was served
	owed  uint64                       // ns of rest, for what it worked
}

// run serves until the bell is told to end it, or sending is not possible.
func (p *pacer) run() error {
	for {
		atomic.StoreUint64(&p.pace.WakeAt, asleep)
		if err := p.catchUp(monotonic()); err != nil {
			return err
		}
		next, any := p.next()
		if !any {
			next = asleep
		}
		atomic.StoreUint64(&p.pace.WakeAt, next)
		before := monotonic()
		ended, err := p.bell.wait(p.time(next), !any)
		p.owed -= min(p.owed, monotonic()-before)
		if ended || err != nil {
			return err
		}
		// What was added meanwhile is due now, not whenever it would have been before.
		if now := p.at(monotonic()); now > wakeLag {
			p.done = max(p.done, min(next-1, now-wakeLag))
		}
	}
}

// at is the tick that goes on at a time.
func (p *pacer) at(now uint64) uint64 { return tickAt(p.pace, now) }

func tickAt(pace *playerPace, now uint64) uint64 {
	return (now - atomic.LoadUint64(&pace.BeginNs)) / uint64(tick)
}

// time is when a tick begins.
func (p *pacer) time(t uint64) uint64 { return atomic.LoadUint64(&p.pace.BeginNs) + t*uint64(tick) }

// next is the first tick that something is due in.
func (p *pacer) next() (uint64, bool) {
	first, any := p.done+uint64(longest)+1, false
	for span := shortest; span <= longest; span++ {
		if atomic.LoadUint32(&p.pace.Streams[span]) == 0 {
			continue
		}
		for t := p.done + 1; t < first; t++ {
			if atomic.LoadUint64(&p.slots[slotAt(span, t)].End) > 0 {
				first, any = t, true
			}
		}
	}
	return first, any
}

// catchUp serves all ticks up to a time.
func (p *pacer) catchUp(now uint64) error {
	target := p.at(now)
	next, any := p.next()
	if any && target > next+maxLag {
		atomic.AddUint64(&p.pace.BeginNs, (target-next)*uint64(tick))
		atomic.AddUint64(&p.pace.Stalls, 1)
		target = next
	}
	for any && next <= target {
		if err := p.serve(next); err != nil {
			return err
		}
		if p.owed > leastRest {
			p.bell.rest(p.owed)
			p.owed = 0
		}
		next, any = p.next()
	}
	p.done = max(p.done, target)
	return nil
}

// serve sends what is due at a tick.
func (p *pacer) serve(t uint64) error {
	begin, reported := monotonic(), atomic.LoadUint32(&p.pace.Reported)
	for span := shortest; span <= longest; span++ {
		if atomic.LoadUint32(&p.pace.Streams[span]) == 0 {
			continue
		}
		slot := slotAt(span, t)
		if end := atomic.LoadUint64(&p.slots[slot].End); end > 0 {
			if err := p.send(slot, uint32(end)); err != nil {
				return err
			}
		}
	}
	p.done = t
	if atomic.LoadUint32(&p.pace.Reported) != reported {
		p.news.ring()
	}
	now := monotonic()
	atomic.AddUint64(&p.pace.BusyNs, now-begin)
	p.owed += (now - begin) / share
	atomic.AddUint64(&p.pace.Ticks, 1)
	if now > p.time(t+1) {
		atomic.AddUint64(&p.pace.Missed, 1)
	}
	return nil
}

// slotAt is the slot that is due at a tick, of streams with packets of a length.
func slotAt(span int, t uint64) uint32 {
	before := (span*(span-1) - shortest*(shortest-1)) / 2 // slots of shorter packets
	return uint32(before) + uint32(t%uint64(span))
}

// tick is how finely streams are spread over time.
const tick = time.Millisecond

// The shortest and the longest packet, in ticks.
const (
	shortest = int(playerSlotLayoutMIN_SPAN)
	longest  = int(playerSlotLayoutMAX_SPAN)
)
