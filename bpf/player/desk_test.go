package player

import "testing"

// newSlots is a desk with slots and no room for prompts.
func newSlots() desk {
	return newDesk(memory{slots: make([]playerSlot, playerSlotLayoutSLOTS)}, leastTogether)
}

// As many packets leave at once as the interfaces take, within bounds.
func TestBurst(t *testing.T) {
	t.Parallel()
	for ring, want := range map[int]int{0: 1024, 64: 512, 512: 512, 768: 768, 4096: 1024} {
		if got := burst(ring); got != want {
			t.Errorf("of a ring of %d: %d, want %d", ring, got, want)
		}
	}
}

// Streams begin within three quarters of a packet, and many are spread to within a
// quarter, however many are added in a millisecond: all at once in one packet at most.
func TestStreamsAreSpreadAndBeginSoon(t *testing.T) {
	t.Parallel()
	const each = 2 * leastTogether // streams a slot
	for _, span := range []int{shortest, 20, 30, longest} {
		for _, perTick := range []int{1, 4, 50, each} {
			d := newSlots()
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

// Few streams are due in few ticks, and many in a few of them no more than are let be
// due together.
func TestFewStreamsShareTicks(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ span, streams, ticks int }{
		{span: 20, streams: 1, ticks: 1},
		{span: 20, streams: 500, ticks: 4},
		{span: 20, streams: 3 * leastTogether, ticks: 4},
		{span: 20, streams: 5 * leastTogether, ticks: 8},
		{span: 20, streams: 10 * leastTogether, ticks: 12},
		{span: 30, streams: 500, ticks: 6},
		{span: shortest, streams: 500, ticks: 2},
		{span: 12, streams: 500, ticks: 3},
	} {
		d := newSlots()
		for n := range test.streams {
			d.slots[slotAt(test.span, d.choose(test.span, uint64(1000+n)))].count++
			d.turns[test.span]++
		}
		used := 0
		for at := range test.span {
			n := d.slots[slotAt(test.span, uint64(at))].count
			if n > 0 {
				used++
			}
			if n > leastTogether {
				t.Errorf("%d ms, %d streams: %d in a slot", test.span, test.streams, n)
			}
		}
		if used > test.ticks {
			t.Errorf("%d ms, %d streams: in %d slots, want %d", test.span, test.streams, used, test.ticks)
		}
	}
}
