package voice

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"mcp/speech"
)

// engine is a recognition and a synthesis whose server answers with an error.
type engine struct {
	done    chan struct{}
	err     error
	stopped int
}

func (e *engine) Done() <-chan struct{} { return e.done }

func (e *engine) StartTimers(context.Context) error { return e.err }

func (e *engine) Stop(ctx context.Context) error { return e.stop(ctx) }

func (e *engine) Err() error { return nil }

func (e *engine) BargeIn(ctx context.Context) error { return e.stop(ctx) }

func (e *engine) stop(ctx context.Context) error {
	if _, bounded := ctx.Deadline(); bounded {
		e.stopped++
	}
	return e.err
}

// recognizing is the engine as a recognition alone.
type recognizing struct{ *engine }

func (r recognizing) Started() <-chan struct{}       { return nil }
func (r recognizing) Result() (speech.Result, error) { return speech.Result{}, nil }

// TestServersThatFail: what a server makes of timers and of its end is logged where nobody
// else is told, and only there.
func TestServersThatFail(t *testing.T) {
	broken := errors.New("broken")
	ended := make(chan struct{})
	close(ended)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tt := range []struct {
		name  string
		ctx   context.Context
		done  chan struct{}
		err   error
		do    func(ctx context.Context, v *Voices, e *engine)
		says  string
		stops int
	}{
		{"timers", t.Context(), nil, broken, timers, "start the recognizer's timers", 0},
		{"timers that start", t.Context(), nil, nil, timers, "", 0},
		{"timers of what has ended", t.Context(), ended, broken, timers, "", 0},
		{"timers that nobody wants", gone, nil, broken, timers, "", 0},
		{"the end of a recognition", t.Context(), nil, broken, abandon, "stop the recognizer", 1},
		{"the end of what has ended", t.Context(), nil, speech.ErrClosed, abandon, "", 1},
		{"the end of speech", t.Context(), nil, broken, interrupt, "stop the synthesizer", 1},
		{"the end of speech that has ended", t.Context(), nil, speech.ErrClosed, interrupt, "", 1},
	} {
		var log bytes.Buffer
		v := &Voices{parts: Parts{Log: slog.New(slog.NewTextHandler(&log, nil))}}
		e := &engine{done: tt.done, err: tt.err}
		tt.do(tt.ctx, v, e)
		if got := log.String(); tt.says == "" && got != "" || !strings.Contains(got, tt.says) || strings.Count(got, "\n") > 1 {
			t.Errorf("%s: %q", tt.name, got)
		}
		if e.stopped != tt.stops {
			t.Errorf("%s: stopped %d times within a bound, wanted %d", tt.name, e.stopped, tt.stops)
		}
	}
}

func timers(ctx context.Context, v *Voices, e *engine) {
	(&Listening{recognizing{e}, v}).StartTimers(ctx)
}

func abandon(_ context.Context, v *Voices, e *engine) { (&Listening{recognizing{e}, v}).Abandon() }

func interrupt(_ context.Context, v *Voices, e *engine) { v.Interrupt(e) }
