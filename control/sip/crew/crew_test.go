package crew

import (
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// goroutine is what tells one goroutine from another: the first line of its stack.
func goroutine() string {
	b := make([]byte, 32)
	return string(b[:runtime.Stack(b, false)])
}

// stay is how many wait for a task once all that are to be done are.
func (c *Crew) stay() int {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.waiting)
}

func TestTaskRunsWhereTheOneBeforeHas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c Crew
		var first, second string
		c.Go(func() { first = goroutine() })
		synctest.Wait()
		c.Go(func() { second = goroutine() })
		c.Wait()
		if first != second {
			t.Errorf("ran on %q and %q", first, second)
		}
	})
}

// Tasks do not wait for each other, however few goroutines stay.
func TestTasksRunAtOnce(t *testing.T) {
	const tasks = 3 * staying
	var c Crew
	for range 2 {
		var met sync.WaitGroup
		met.Add(tasks)
		for range tasks {
			c.Go(func() {
				met.Done()
				met.Wait()
			})
		}
		met.Wait()
	}
	c.Wait()
}

func TestFewStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c Crew
		gate := make(chan struct{})
		for range 2 * staying {
			c.Go(func() { <-gate })
		}
		close(gate)
		if n := c.stay(); n != staying {
			t.Errorf("%d stay, want %d", n, staying)
		}
		c.Wait()
	})
}

// Who is not needed leaves, who is stays.
func TestIdleOnesLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c Crew
		wait := func(n int) {
			t.Helper()
			if got := c.stay(); got != n {
				t.Errorf("%d stay, want %d", got, n)
			}
		}
		gate := make(chan struct{})
		for range 5 {
			c.Go(func() { <-gate })
		}
		close(gate)
		wait(5)
		time.Sleep(patience / 2) // from here on, nothing happens when they are thinned
		for range 3 {            // two at once are enough
			meet := make(chan struct{})
			c.Go(func() { <-meet })
			c.Go(func() { close(meet) })
			time.Sleep(patience)
		}
		wait(2)
		time.Sleep(2 * patience)
		wait(0)
		c.Go(func() {})
		wait(1)
		c.Wait()
	})
}

// A goroutine that stayed after Wait would fail the bubble.
func TestNobodyStaysAfterWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c Crew
		c.Go(func() {})
		synctest.Wait()
		late := make(chan struct{})
		c.Go(func() { <-late })
		c.Go(func() {})
		go close(late)
		c.Wait()
		c.Wait()
	})
}
