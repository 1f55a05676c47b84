package player

import "testing"

// Streams begin within three quarters of a packet, and are spread to within a quarter,
// however many are added in a millisecond: all at once in one packet at most.
func TestStreamsAreSpreadAndBeginSoon(t *testing.T) {
	t.Parallel()
	const each = 250 // streams a slot
	for _, span := range []int{shortest, 20, 30, longest} {
		for _, perTick := range []int{1, 4, 50, each} {
			d := newDesk(memory{slots: make([]playerSlot, playerSlotLayoutSLOTS)})
			now := uint64(1000)
			for n := range each * span {
				due := d.choose(span, now)
				if due <= now || due > now+uint64(span)*3/4+1 {
					t.Fatalf("%d ms, %d a tick: due %d ticks later", span, perTick, int64(due-now))
				}
				d.slots[slotAt(span, due)].count++
				d.turns[span]++
				if (n+1)%perTick == 0 {
					now++
				}
			}
			for at := range span {
				if n := d.slots[slotAt(span, uint64(at))].count; n < each*3/4 || n > each*5/4 {
					t.Errorf("%d ms, %d a tick: %d streams in a slot of %d", span, perTick, n, each)
				}
			}
		}
	}
}
