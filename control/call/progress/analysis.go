package progress

import (
	"fmt"
	"sync/atomic"
	"time"

	"mcp/control/media"
	"mcp/control/media/clock"
	"mcp/control/media/codec"
	"mcp/control/media/detect"
	"mcp/control/media/jitter"
	"mcp/control/reporting"
)

// Analysis is a call that is listened to.
type Analysis struct {
	lab     *Lab
	subject Subject
	options Options
	ear     *jitter.Ear
	tap     *media.Tap // touched by the follower only
	told    chan told
	quit    chan struct{} // closed by Close
	found   chan struct{}
	closed  atomic.Bool
	result  atomic.Pointer[Result]
	hearing
}

// hearing is what the clock's ticks touch.
type hearing struct {
	detector *detect.Progress
	answered bool
	heard    time.Duration // since the beginning, or the answer
	pcm      [codec.Narrowband / 50]int16
}

// told is what the detector says.
type told struct {
	outcome  detect.Outcome
	answered bool
	after    time.Duration
}

// Begin begins to listen to a call that is being made. Close must follow, before
// the leg's session ends.
func (l *Lab) Begin(s Subject, o Options) (*Analysis, error) {
	if err := l.Check(o); err != nil {
		return nil, fmt.Errorf("analyse the call: %w", err)
	}
	t, err := l.config.timing(o.Profile)
	if err != nil {
		return nil, fmt.Errorf("analyse the call: %w", err)
	}
	if o.Until == Verdict {
		t.MaxBeep = 0
	}
	a := &Analysis{
		lab: l, subject: s, options: o, ear: jitter.NewEar(codec.Narrowband),
		told: make(chan told, 8), quit: make(chan struct{}), found: make(chan struct{}),
		hearing: hearing{detector: detect.NewProgress(t)},
	}
	if err := a.listen(); err != nil {
		return nil, err
	}
	go a.follow()
	return a, nil
}

// Found is closed when all is known that was asked for, or the analysis has ended
// without.
func (a *Analysis) Found() <-chan struct{} { return a.found }

// Result is what is known so far; false: nothing.
func (a *Analysis) Result() (Result, bool) {
	if a == nil {
		return Result{}, false
	}
	if r := a.result.Load(); r != nil {
		return *r, true
	}
	return Result{}, false
}

// Close ends the analysis and waits for its end. It may be called twice, and of a
// nil Analysis.
func (a *Analysis) Close() {
	if a == nil {
		return
	}
	if a.closed.CompareAndSwap(false, true) {
		close(a.quit)
	}
	<-a.found
}

// listen has the leg's audio copied.
func (a *Analysis) listen() error {
	tap, err := a.subject.Leg.Tap(a.ear)
	if err != nil {
		return fmt.Errorf("analyse the call: %w", err)
	}
	a.tap = tap
	a.subject.Clock.Add(a)
	return nil
}

// rest gives the leg's audio back to the plane.
func (a *Analysis) rest() {
	a.subject.Clock.Remove(a)
	if err := a.tap.Close(); err != nil {
		a.subject.Log.Warn("stop listening to the call", "leg", a.subject.Leg.Name(), "error", err)
	}
}

// Tick implements clock.Ticker: it listens to a frame.
func (a *Analysis) Tick() {
	a.ear.Pull(a.pcm[:])
	if !a.answered {
		select {
		case <-a.subject.Answered:
			a.answered, a.heard = true, 0
			a.detector.Connected()
		default:
		}
	}
	a.heard += clock.Frame
	outcome, ok := a.detector.Frame(a.pcm[:])
	if !ok {
		return
	}
	select {
	case a.told <- told{outcome, a.answered, a.heard}:
	default: // more than can be of interest
	}
}

// follow waits for what was asked for.
func (a *Analysis) follow() {
	defer close(a.found)
	defer a.report()
	for {
		select {
		case t := <-a.told:
			if t.outcome == detect.Undetermined && !t.answered {
				if !a.sleep() {
					return
				}
				continue
			}
			if a.concludes(t) {
				a.rest()
				return
			}
		case <-a.quit:
			a.rest()
			return
		}
	}
}

// sleep lets a call be that has rung for so long that no tones are expected any
// more, until the answer; false: there is none.
func (a *Analysis) sleep() bool {
	a.rest()
	select {
	case <-a.subject.Answered:
	case <-a.quit:
		return false
	}
	for len(a.told) > 0 {
		<-a.told // the same, said again
	}
	if err := a.listen(); err != nil {
		a.subject.Log.Warn("the call is not analysed any more", "leg", a.subject.Leg.Name(), "error", err)
		return false
	}
	return true
}

// concludes takes what the detector says, and tells whether all is known.
func (a *Analysis) concludes(t told) bool {
	first, known := a.Result()
	if !known {
		a.result.Store(&Result{Outcome: t.outcome, Answered: t.answered, After: t.after})
		return t.outcome != detect.Machine || a.options.Until == Verdict || a.lab.config.Timing.MaxBeep <= 0
	}
	if t.outcome == detect.Beep {
		first.Beep = true
		a.result.Store(&first)
	}
	return t.outcome != detect.GreetingOver || a.options.Until == GreetingOver
}

// report tells what became of the call.
func (a *Analysis) report() {
	r, known := a.Result()
	if !known {
		return
	}
	a.lab.metrics.found(r)
	a.subject.Trail.Progressed(reporting.Progress{
		Leg: a.subject.Leg.Name(), Outcome: string(r.Outcome), Answered: r.Answered, Beep: r.Beep, After: r.After.Milliseconds(),
	})
	a.subject.Log.Info("call progress", "leg", a.subject.Leg.Name(), "outcome", string(r.Outcome),
		"answered", r.Answered, "beep", r.Beep, "after_ms", r.After.Milliseconds())
}
