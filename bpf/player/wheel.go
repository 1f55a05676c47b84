package player

import "time"

// tick is how finely streams are spread over time.
const tick = time.Millisecond

// longest is the longest packet, in ticks.
const longest = int(maxPtime / tick)

// wheel says when streams are due. One with packets of n ticks is in one of n
// slots, and stays there while it plays: a slot is due each nth tick.
type wheel struct {
	begin time.Time // of tick zero
	now   uint64    // the last tick that was served
	count int
	turns [longest + 1]turn // by the length of packets
}

// turn has the streams whose packets are of one length.
type turn struct {
	slots []slot // by tick, modulo their number; none until there is a stream
	count int
}

// slot has the streams that are due at the same time. They lie in rows of what the
// kernel reads, and all rows but the last are full.
type slot struct {
	rows  []uint32
	count int
	asks  []*Stream // of them, those that userspace must look at before they go on
}

// The first tick is a turn away from zero, so that none before it is negative.
func newWheel(now time.Time) wheel {
	return wheel{begin: now.Add(-time.Duration(longest) * tick), now: uint64(longest)}
}

// at is the tick that goes on at a time.
func (w *wheel) at(t time.Time) uint64 { return uint64(t.Sub(w.begin) / tick) }

// time is when a tick begins.
func (w *wheel) time(t uint64) time.Time { return w.begin.Add(time.Duration(t) * tick) }

// slot is what is due at a tick, of streams with packets of a length.
func (w *wheel) slot(span int, t uint64) *slot { return &w.turns[span].slots[t%uint64(span)] }

// next is the first tick that something is due in.
func (w *wheel) next() (uint64, bool) {
	first, any := w.now+uint64(longest)+1, false
	for span := range w.turns {
		if w.turns[span].count == 0 {
			continue
		}
		any = true
		for t := w.now + 1; t < first; t++ {
			if w.slot(span, t).count > 0 {
				first = t
			}
		}
	}
	return first, any
}

// pass goes on to a tick before which nothing is due.
func (w *wheel) pass(t uint64) { w.now = max(w.now, t) }

// choose finds the tick where the fewest are due among the ticks of one packet, or
// rather an earlier one than that where no more than the average are.
func (w *wheel) choose(span int) uint64 {
	turn := &w.turns[span]
	if turn.slots == nil {
		turn.slots = make([]slot, span)
	}
	average := turn.count / span
	best := w.now + 1
	for t := best; t <= w.now+uint64(span); t++ {
		n := w.slot(span, t).count
		if n <= average {
			return t
		}
		if n < w.slot(span, best).count {
			best = t
		}
	}
	return best
}
