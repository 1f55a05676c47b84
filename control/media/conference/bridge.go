// Package conference lets several legs, of any calls, hear each other. Two of
// them are relayed by the plane; more, or what must be listened to, are mixed
// here, all by one clock.
package conference

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// frame is what is mixed at once.
const frame = 20 * time.Millisecond

// behind is how many frames a late clock makes up for at once; what is beyond is lost.
const behind = 5

// Reasons for which a conference is not to be had.
var (
	ErrExists = errors.New("there is a conference of that name")
	ErrClosed = errors.New("conference is closed")
)

// Bridge holds the conferences of a platform. Its clock paces them all.
type Bridge struct {
	log     *slog.Logger
	quit    chan struct{}
	running sync.WaitGroup
	late    atomic.Uint64 // frames that were not mixed in their time
	helpers []chan struct{}
	round   round

	mu   sync.Mutex // guards what follows
	open map[string]*Conference
	over bool
}

// round is one tick's work, shared among the helpers.
type round struct {
	mixing []*Conference
	next   atomic.Int64
	done   sync.WaitGroup
}

// NewBridge makes a Bridge. Close it after the calls, before the engine.
func NewBridge(log *slog.Logger) *Bridge {
	b := &Bridge{log: log, quit: make(chan struct{}), open: map[string]*Conference{}}
	for range max(1, runtime.GOMAXPROCS(0)) {
		wake := make(chan struct{})
		b.helpers = append(b.helpers, wake)
		b.running.Go(func() { b.help(wake) })
	}
	b.running.Go(b.run)
	return b
}

// Open begins a conference that has no members yet.
func (b *Bridge) Open(name string, o Options) (*Conference, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over {
		return nil, ErrClosed
	}
	if b.open[name] != nil {
		return nil, fmt.Errorf("open conference %s: %w", name, ErrExists)
	}
	c, err := newConference(b, name, o)
	if err != nil {
		return nil, fmt.Errorf("open conference %s: %w", name, err)
	}
	b.open[name] = c
	return c, nil
}

// Find is the conference of a name; nil: there is none.
func (b *Bridge) Find(name string) *Conference {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.open[name]
}

func (b *Bridge) forget(c *Conference) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open[c.name] == c {
		delete(b.open, c.name)
	}
}

// Close ends all conferences.
func (b *Bridge) Close() error {
	b.mu.Lock()
	if b.over {
		b.mu.Unlock()
		return nil
	}
	b.over = true
	var all []*Conference
	for _, c := range b.open {
		all = append(all, c)
	}
	b.mu.Unlock()
	var errs []error
	for _, c := range all {
		errs = append(errs, c.Close())
	}
	close(b.quit)
	b.running.Wait()
	return errors.Join(errs...)
}

// run is the clock: a tick each frame, and what was missed at once.
func (b *Bridge) run() {
	timer := time.NewTimer(frame)
	defer timer.Stop()
	for due := time.Now().Add(frame); ; due = due.Add(frame) {
		timer.Reset(time.Until(due))
		select {
		case <-b.quit:
			for _, wake := range b.helpers {
				close(wake)
			}
			return
		case now := <-timer.C:
			if missed := now.Sub(due) / frame; missed > behind {
				b.late.Add(uint64(missed - behind))
				due = due.Add((missed - behind) * frame)
			}
		}
		b.tick()
	}
}

// tick mixes one frame of every conference that is mixed.
func (b *Bridge) tick() {
	b.mu.Lock()
	b.round.mixing = b.round.mixing[:0]
	for _, c := range b.open {
		if c.mixing.Load() {
			b.round.mixing = append(b.round.mixing, c)
		}
	}
	b.mu.Unlock()
	n := min(len(b.helpers), len(b.round.mixing))
	b.round.next.Store(0)
	b.round.done.Add(n)
	for _, wake := range b.helpers[:n] {
		wake <- struct{}{}
	}
	b.round.done.Wait()
}

func (b *Bridge) help(wake <-chan struct{}) {
	for range wake {
		for {
			at := int(b.round.next.Add(1)) - 1
			if at >= len(b.round.mixing) {
				break
			}
			b.round.mixing[at].frame()
		}
		b.round.done.Done()
	}
}
