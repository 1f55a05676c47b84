package inbox

import (
	"sync"
	"testing"
)

// Whatever goroutines put, one at a time handles it, and all of one in its order.
func TestOneHandlesAtATime(t *testing.T) {
	const senders, messages = 8, 1000
	var box Inbox[[2]int]
	var all sync.WaitGroup
	var last [senders]int // without a lock: the race detector judges
	for sender := range senders {
		all.Go(func() {
			for n := range messages {
				if box.Put([2]int{sender, n + 1}) {
					box.Handle(func(m [2]int) {
						if last[m[0]] != m[1]-1 {
							t.Errorf("sender %d: %d after %d", m[0], m[1], last[m[0]])
						}
						last[m[0]] = m[1]
					})
				}
			}
		})
	}
	all.Wait()
	for sender, n := range last {
		if n != messages {
			t.Errorf("sender %d: %d messages handled", sender, n)
		}
	}
}

func TestWhoHandlesMayPut(t *testing.T) {
	var box Inbox[int]
	var handled []int
	box.Put(3)
	box.Handle(func(m int) {
		handled = append(handled, m)
		if m > 0 && box.Put(m-1) {
			t.Error("another is asked to handle")
		}
	})
	if len(handled) != 4 || handled[3] != 0 {
		t.Errorf("handled %v", handled)
	}
	if !box.Put(1) {
		t.Error("nobody is asked to handle though nobody does")
	}
}

func TestClosedInboxDropsAll(t *testing.T) {
	var box Inbox[int]
	box.Put(1)
	box.Put(2)
	handled := 0
	box.Handle(func(int) {
		handled++
		box.Close()
	})
	if box.Put(3) {
		t.Error("it takes more")
	}
	box.Handle(func(int) { handled++ })
	if handled != 1 {
		t.Errorf("%d handled", handled)
	}
}

func BenchmarkMessage(b *testing.B) {
	var box Inbox[[8]int]
	b.ReportAllocs()
	for b.Loop() {
		if box.Put([8]int{}) {
			box.Handle(func([8]int) {})
		}
	}
}
