// Package clock paces whatever is done for each 20 ms of audio: conferences,
// recorders. One goroutine keeps the time, and some help it do the work.
package clock

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Frame is how much audio a tick is.
const Frame = 20 * time.Millisecond

// behind is how many frames a late clock makes up for at once; what is beyond is lost.
const behind = 5

// Ticker is what the clock paces.
type Ticker interface {
	// Tick does the work of a frame. It is not called while the last call goes on,
	// and must not block.
	Tick()
}

// Clock paces Tickers.
type Clock struct {
	quit    chan struct{}
	wake    chan struct{} // there is something to pace
	stop    sync.Once
	running sync.WaitGroup
	late    atomic.Uint64
	helpers []chan struct{}
	round   round

	mu      sync.Mutex // guards what follows
	tickers []Ticker
}

// round is one tick's work, shared among the helpers.
type round struct {
	work []Ticker
	next atomic.Int64
	done sync.WaitGroup
}

// New starts a Clock.
func New() *Clock {
	c := &Clock{quit: make(chan struct{}), wake: make(chan struct{}, 1)}
	for range max(1, runtime.GOMAXPROCS(0)) {
		wake := make(chan struct{})
		c.helpers = append(c.helpers, wake)
		c.running.Go(func() { c.help(wake) })
	}
	c.running.Go(c.run)
	return c
}

// Add begins to pace a Ticker; adding it twice is adding it once.
func (c *Clock) Add(t Ticker) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !slices.Contains(c.tickers, t) {
		c.tickers = append(c.tickers, t)
	}
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Remove ends it. A tick may be under way when it returns.
func (c *Clock) Remove(t Ticker) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tickers = slices.DeleteFunc(c.tickers, func(o Ticker) bool { return o == t })
}

// Late is how many frames have been left out because the work was too much.
func (c *Clock) Late() uint64 { return c.late.Load() }

// Close stops the clock.
func (c *Clock) Close() {
	c.stop.Do(func() { close(c.quit) })
	c.running.Wait()
}

// run ticks each frame while there is something to pace, and makes up for what it
// missed.
func (c *Clock) run() {
	defer func() {
		for _, wake := range c.helpers {
			close(wake)
		}
	}()
	timer := time.NewTimer(Frame)
	defer timer.Stop()
	for {
		select {
		case <-c.quit:
			return
		case <-c.wake:
		}
		for due := time.Now().Add(Frame); c.tick(); due = due.Add(Frame) {
			timer.Reset(time.Until(due))
			select {
			case <-c.quit:
				return
			case now := <-timer.C:
				if missed := now.Sub(due) / Frame; missed > behind {
					c.late.Add(uint64(missed - behind))
					due = due.Add((missed - behind) * Frame)
				}
			}
		}
	}
}

// tick does one frame's work; false: there is none.
func (c *Clock) tick() bool {
	c.mu.Lock()
	c.round.work = append(c.round.work[:0], c.tickers...)
	c.mu.Unlock()
	n := min(len(c.helpers), len(c.round.work))
	c.round.next.Store(0)
	c.round.done.Add(n)
	for _, wake := range c.helpers[:n] {
		wake <- struct{}{}
	}
	c.round.done.Wait()
	return len(c.round.work) > 0
}

func (c *Clock) help(wake <-chan struct{}) {
	for range wake {
		for {
			at := int(c.round.next.Add(1)) - 1
			if at >= len(c.round.work) {
				break
			}
			c.round.work[at].Tick()
		}
		c.round.done.Done()
	}
}
