package sim

import (
	"time"

	"mcp/vxml"
)

// timers are the interpreter's: they run only when nothing else is going to
// happen, and then at once.
type timers struct{ running []*timer }

// timer is one of them; it is running while it is in the list.
type timer struct {
	all *timers
	c   chan time.Time
}

// NewTimer implements vxml.Clock.
func (c *Caller) NewTimer() vxml.Timer { return &timer{&c.timers, make(chan time.Time, 1)} }

func (t *timer) C() <-chan time.Time { return t.c }

func (t *timer) Reset(time.Duration) {
	t.Stop()
	t.all.running = append(t.all.running, t)
}

func (t *timer) Stop() {
	for i, other := range t.all.running {
		if other == t {
			t.all.running = append(t.all.running[:i:i], t.all.running[i+1:]...)
			break
		}
	}
	select {
	case <-t.c:
	default:
	}
}

// fire ends the time that was begun last.
func (a *timers) fire() {
	if n := len(a.running); n > 0 {
		t := a.running[n-1]
		a.running = a.running[:n-1]
		t.c <- time.Now()
	}
}
