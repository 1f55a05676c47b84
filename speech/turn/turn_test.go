package turn

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"mcp/speech"
)

// limits are those of all turns here.
var limits = speech.Recognition{NoInput: 5 * time.Second, MaxSpeech: 20 * time.Second}

func TestHowTurnsEnd(t *testing.T) {
	broken := errors.New("broken")
	tests := []struct {
		name    string
		does    func(*Turn)
		after   time.Duration
		outcome speech.Outcome
		err     error
		started bool
	}{
		{"nothing is said", func(t *Turn) { _ = t.StartTimers(t.ctx) }, 5 * time.Second, speech.NoInput, nil, false},
		{"timers start once", func(t *Turn) {
			_ = t.StartTimers(t.ctx)
			time.Sleep(3 * time.Second)
			_ = t.StartTimers(t.ctx)
		}, 5 * time.Second, speech.NoInput, nil, false},
		{"too much is said", func(t *Turn) {
			_ = t.StartTimers(t.ctx)
			time.Sleep(time.Second)
			t.Heard()
			t.Heard()
			_ = t.StartTimers(t.ctx)
		}, 21 * time.Second, speech.TooMuchSpeech, nil, true},
		{"a result", func(t *Turn) {
			t.Heard()
			t.End(speech.Result{Outcome: speech.NoMatch}, nil)
			t.End(speech.Result{}, broken)
		}, 0, speech.NoMatch, nil, true},
		{"a failure", func(t *Turn) { t.End(speech.Result{}, broken); t.Heard(); _ = t.StartTimers(t.ctx) }, 0, 0, broken, false},
		{"stopped", func(t *Turn) { _ = t.Stop(t.ctx) }, 0, 0, speech.ErrClosed, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				turn := New(limits)
				tt.does(turn)
				<-turn.Done()
				<-turn.Context().Done()
				result, err := turn.Result()
				if result.Outcome != tt.outcome || !errors.Is(err, tt.err) || time.Since(begin) != tt.after {
					t.Errorf("%v, %v after %s", result.Outcome, err, time.Since(begin))
				}
				select {
				case <-turn.Started():
					if !tt.started {
						t.Error("input has started")
					}
				default:
					if tt.started {
						t.Error("input has not started")
					}
				}
			})
		})
	}
}

func TestTimersFromTheBeginning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at := limits
		at.StartTimers = true
		turn := New(at)
		begin := time.Now()
		<-turn.Done()
		if time.Since(begin) != 5*time.Second {
			t.Errorf("ended after %s", time.Since(begin))
		}
	})
}

func TestNoLimitsNoWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turn := New(speech.Recognition{StartTimers: true})
		turn.Heard()
		time.Sleep(time.Hour)
		select {
		case <-turn.Done():
			t.Error("the turn has ended")
		default:
		}
		_ = turn.Stop(t.Context())
	})
}
