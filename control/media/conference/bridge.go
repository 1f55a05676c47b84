// Package conference lets several legs, of any calls, hear each other. Two of
// them are relayed by the plane; more, or what must be listened to, are mixed
// here, all by one clock.
package conference

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"mcp/control/media/clock"
)

// Reasons for which a conference is not to be had.
var (
	ErrExists = errors.New("there is a conference of that name")
	ErrClosed = errors.New("conference is closed")
)

// Bridge holds the conferences of a platform.
type Bridge struct {
	log     *slog.Logger
	clock   *clock.Clock
	pouring sync.WaitGroup // of supplies

	mu   sync.Mutex // guards what follows
	open map[string]*Conference
	over bool
}

// NewBridge makes a Bridge whose mixing a clock paces. Close it after the calls,
// before the engine and the clock.
func NewBridge(c *clock.Clock, log *slog.Logger) *Bridge {
	return &Bridge{log: log, clock: c, open: map[string]*Conference{}}
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
	b.pouring.Wait()
	return errors.Join(errs...)
}
