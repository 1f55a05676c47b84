package voice

import (
	"context"
	"errors"
	"time"

	"mcp/speech"
)

// tellServer bounds what is told to a speech server after nobody waits any more.
const tellServer = 5 * time.Second

// Listening is a recognition of what the caller says.
type Listening struct {
	speech.Recognizing
	voices *Voices
}

// Listen lets the engine hear the caller and begins a recognition.
func (v *Voice) Listen(ctx context.Context, r speech.Recognition) (*Listening, error) {
	session, err := v.Use(ctx)
	if err != nil {
		return nil, err
	}
	if err := v.Attend(); err != nil {
		return nil, err
	}
	recognizing, err := session.Recognize(ctx, r)
	if err != nil {
		return nil, err
	}
	return &Listening{recognizing, v.of}, nil
}

// StartTimers starts the no-input timer. That it cannot be is the recognition's own
// failure when that is over.
func (l *Listening) StartTimers(ctx context.Context) {
	err := l.Recognizing.StartTimers(ctx)
	select {
	case <-l.Done():
	default:
		if err != nil && ctx.Err() == nil {
			l.voices.parts.Log.Warn("start the recognizer's timers", "error", err)
		}
	}
}

// Abandon stops the recognizer, which would otherwise hold its resources.
func (l *Listening) Abandon() {
	ctx, cancel := context.WithTimeout(context.Background(), tellServer)
	defer cancel()
	if err := l.Stop(ctx); err != nil && !errors.Is(err, speech.ErrClosed) {
		l.voices.parts.Log.Warn("stop the recognizer", "error", err)
	}
}

// Interrupt stops a synthesizer, whose buffers would otherwise play on.
func (v *Voices) Interrupt(s speech.Speaking) {
	ctx, cancel := context.WithTimeout(context.Background(), tellServer)
	defer cancel()
	if err := s.BargeIn(ctx); err != nil && !errors.Is(err, speech.ErrClosed) {
		v.parts.Log.Warn("stop the synthesizer", "error", err)
	}
}
