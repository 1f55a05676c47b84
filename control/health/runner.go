package health

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// runner runs one check, once at a time. A probe that pays no heed to its
// context is reported and not started again before it has returned, so that
// hanging costs one goroutine and no more.
type runner struct {
	check Check
	log   *slog.Logger

	mu      sync.Mutex
	current *attempt // nil: none runs
	failing bool     // as last logged
}

// attempt is one run of a check.
type attempt struct {
	done chan struct{}
	err  error // after done
}

// errPanicked stands for a check that panicked: it must not take the process with it.
var errPanicked = errors.New("check panicked")

// run starts the check, or joins a run under way, and waits for its outcome.
func (r *runner) run(ctx context.Context) error {
	a := r.join()
	// A check that heeds its context gets a moment more to say why it failed.
	timer := time.NewTimer(r.check.Timeout + r.check.Timeout/10)
	defer timer.Stop()
	select {
	case <-a.done:
		return a.err
	case <-timer.C:
		err := fmt.Errorf("no outcome within %s", r.check.Timeout)
		r.note(err)
		return err
	case <-ctx.Done():
		return fmt.Errorf("prober gave up: %w", ctx.Err())
	}
}

func (r *runner) join() *attempt {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.current == nil {
		r.current = &attempt{done: make(chan struct{})}
		go r.attempt(r.current)
	}
	return r.current
}

// attempt ends before the prober is answered, unless the check hangs.
func (r *runner) attempt(a *attempt) {
	ctx, cancel := context.WithTimeout(context.Background(), r.check.Timeout)
	defer cancel()
	a.err = r.probe(ctx)
	r.note(a.err)
	r.mu.Lock()
	r.current = nil
	r.mu.Unlock()
	close(a.done)
}

func (r *runner) probe(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errPanicked, p)
		}
	}()
	return r.check.Probe(ctx)
}

// note logs a check that begins to fail or to pass again.
func (r *runner) note(err error) {
	r.mu.Lock()
	changed := r.failing != (err != nil)
	r.failing = err != nil
	r.mu.Unlock()
	switch {
	case changed && err != nil:
		r.log.Warn("health check fails", "error", err)
	case changed:
		r.log.Info("health check passes again")
	}
}
