// Package turn keeps the time of one recognition for engines that do not keep it
// themselves: it ends when nothing is said, when too much is, when the engine has a
// result, or when nobody wants it any more; whichever comes first.
package turn

import (
	"context"
	"sync"
	"time"

	"mcp/speech"
)

// Turn implements speech.Recognizing.
type Turn struct {
	ctx     context.Context // ends with the turn
	cancel  context.CancelFunc
	started chan struct{}
	done    chan struct{}

	mu      sync.Mutex // guards what follows
	limits  speech.Recognition
	timer   *time.Timer // of silence, then of speech; nil: none runs
	heard   bool
	ended   bool
	timed   bool // StartTimers was called
	result  speech.Result
	failure error
}

var _ speech.Recognizing = (*Turn)(nil)

// New begins a turn with the limits of a recognition; of those that are zero there
// is no watch.
func New(limits speech.Recognition) *Turn {
	t := &Turn{started: make(chan struct{}), done: make(chan struct{}), limits: limits}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	if limits.StartTimers {
		_ = t.StartTimers(t.ctx) // never fails
	}
	return t
}

// Context ends with the turn.
func (t *Turn) Context() context.Context { return t.ctx }

// Heard tells that the caller has begun to speak.
func (t *Turn) Heard() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.heard || t.ended {
		return
	}
	t.heard = true
	close(t.started)
	t.watchLocked(t.limits.MaxSpeech, speech.TooMuchSpeech)
}

// watchLocked ends the turn after a time.
func (t *Turn) watchLocked(after time.Duration, outcome speech.Outcome) {
	if t.timer != nil {
		t.timer.Stop()
		t.timer = nil
	}
	if after > 0 {
		t.timer = time.AfterFunc(after, func() { t.End(speech.Result{Outcome: outcome}, nil) })
	}
}

// End ends the turn, unless it has ended.
func (t *Turn) End(result speech.Result, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return
	}
	t.ended, t.result, t.failure = true, result, err
	t.watchLocked(0, 0)
	t.cancel()
	close(t.done)
}

// Started implements speech.Recognizing.
func (t *Turn) Started() <-chan struct{} { return t.started }

// Done implements speech.Recognizing.
func (t *Turn) Done() <-chan struct{} { return t.done }

// Result implements speech.Recognizing.
func (t *Turn) Result() (speech.Result, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.result, t.failure
}

// StartTimers implements speech.Recognizing.
func (t *Turn) StartTimers(context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.timed && !t.heard && !t.ended {
		t.timed = true
		t.watchLocked(t.limits.NoInput, speech.NoInput)
	}
	return nil
}

// Stop implements speech.Recognizing.
func (t *Turn) Stop(context.Context) error {
	t.End(speech.Result{}, speech.ErrClosed)
	return nil
}
