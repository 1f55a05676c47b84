package player

import "time"

const (
	// tick is how finely streams are spread over time.
	tick = time.Millisecond
	// slots are more than the ticks of the longest packet.
	slots = 64
)

// wheel has the streams that play in the order in which they are due. A stream is
// in the slot of its next tick; there is at most one turn until then.
type wheel struct {
	begin time.Time // of tick zero
	now   uint64    // the last tick that was served
	count int
	slots [slots][]*Stream
}

// The first tick is a turn away from zero, so that none before it is negative.
func newWheel(now time.Time) wheel {
	return wheel{begin: now.Add(-slots * tick), now: slots}
}

// at is the tick that goes on at a time.
func (w *wheel) at(t time.Time) uint64 { return uint64(t.Sub(w.begin) / tick) }

// time is when a tick begins.
func (w *wheel) time(t uint64) time.Time { return w.begin.Add(time.Duration(t) * tick) }

// next is the first tick that something is due in.
func (w *wheel) next() (uint64, bool) {
	if w.count == 0 {
		return 0, false
	}
	for t := w.now + 1; t <= w.now+slots; t++ {
		if len(w.slots[t%slots]) > 0 {
			return t, true
		}
	}
	return 0, false
}

// pass goes on to a tick before which nothing is due.
func (w *wheel) pass(t uint64) { w.now = max(w.now, t) }

// join puts a stream where the fewest are among the ticks of one packet, or
// rather earlier than that where no more than the average are.
func (w *wheel) join(s *Stream) uint64 {
	average := w.count / s.span
	best := w.now + 1
	for t := best; t <= w.now+uint64(s.span); t++ {
		n := len(w.slots[t%slots])
		if n <= average {
			best = t
			break
		}
		if n < len(w.slots[best%slots]) {
			best = t
		}
	}
	w.put(s, best)
	return best
}

func (w *wheel) put(s *Stream, t uint64) {
	slot := &w.slots[t%slots]
	s.slot, s.place = int(t%slots), len(*slot)
	*slot = append(*slot, s)
	w.count++
}

// leave takes a stream out; it is not there any more if its place is negative.
func (w *wheel) leave(s *Stream) {
	if s.place < 0 {
		return
	}
	slot := w.slots[s.slot]
	last := len(slot) - 1
	slot[s.place] = slot[last]
	slot[s.place].place = s.place
	slot[last] = nil
	w.slots[s.slot] = slot[:last]
	s.place = -1
	w.count--
}
