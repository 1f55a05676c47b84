package script

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/metrics"
	"time"

	"github.com/dlclark/regexp2/v2"
	"github.com/dop251/goja"
)

// The limits hold in three ways, since the engine knows none for memory and its
// own functions do not see an interrupt:
//
//   - A script that runs is interrupted when its time is up or when the heap has
//     grown too much under it; scripts that end at once are not even looked at.
//   - The engine's functions that could allocate or loop without bound in one
//     call are guarded, as are texts that are added up (guard.go), and its
//     backtracking expressions time out.
//   - A script that is still not back soon after its interrupt is given up: the
//     machine is lost and its call ends, while others go on.

var (
	errTime     = errors.New("the script's time is up")
	errMemory   = errors.New("the script needs too much memory")
	errComputed = errors.New("the length of a list is computed")
	errPattern  = errors.New("the regular expression takes too long")
)

const (
	look        = 2 * time.Millisecond   // between looks at a running script
	grace       = 100 * time.Millisecond // from the interrupt to giving up
	patternTime = 100 * time.Millisecond // of one match
	lag         = 20 * time.Millisecond  // most that counts of the time between two looks
)

// stopwatch is the time that a script had. Where looks come late the whole process
// was kept waiting, by the machine's other work or a quota, and the script with it:
// that is not its fault.
type stopwatch struct {
	last time.Time
	had  time.Duration
}

func (w *stopwatch) look() time.Duration {
	now := time.Now()
	w.had += min(now.Sub(w.last), lag)
	w.last = now
	return w.had
}

// The engine makes backtracking expressions with this default and never sets
// their time itself; it has to be in place before the first is made.
var _ = boundPatterns()

func boundPatterns() bool {
	regexp2.DefaultMatchTimeout = patternTime
	regexp2.SetTimeoutCheckPeriod(patternTime / 10)
	return true
}

type outcome struct {
	value goja.Value
	err   error
}

// call runs f under the limits.
func (m *Machine) call(ctx context.Context, src Source, f func() (goja.Value, error)) (goja.Value, error) {
	switch {
	case m.lost != nil:
		return nil, m.lost
	case m.busy: // within another call, whose limits hold
		return m.try(src, f)
	}
	m.busy = true
	m.engine() // here, since it is interrupted from here
	done := make(chan outcome, 1)
	go func() {
		deepen()
		v, err := m.try(src, f)
		done <- outcome{v, err}
	}()
	out, stopped := m.watch(ctx, done)
	if stopped != nil && out == nil {
		out = m.afterwards(src, stopped, done)
	}
	m.busy = false
	if m.lost == nil { // otherwise the script is still to stop
		m.stopping.Store(nil)
		m.vm.ClearInterrupt()
	}
	return out.value, out.err
}

// deepen makes a new goroutine's stack as large as most scripts need it, while there is
// nothing on it that would have to be moved.
//
//go:noinline
func deepen() {
	var room [6 << 10]byte
	runtime.KeepAlive(&room)
}

// watch waits for the script, and says why it was interrupted when it was.
func (m *Machine) watch(ctx context.Context, done <-chan outcome) (*outcome, error) {
	had := stopwatch{last: time.Now()}
	tick := time.NewTimer(look)
	defer tick.Stop()
	var heap *growth
	for {
		var why error
		select {
		case out := <-done:
			return &out, nil
		case <-ctx.Done():
			why = context.Cause(ctx)
		case <-tick.C:
			if heap == nil {
				heap = m.cache.observe()
				defer heap.end()
			}
			switch left := m.limits.Time - had.look(); {
			case left <= 0:
				why = errTime
			case heap.bytes() > m.limits.Memory:
				why = errMemory
			default:
				tick.Reset(min(look, left))
			}
		}
		if why != nil {
			m.interrupt(why)
			return nil, why
		}
	}
}

// interrupt stops the script: the engine at its next step, its own functions where
// they come by a guard.
func (m *Machine) interrupt(why error) {
	m.stopping.Store(&why)
	m.vm.Interrupt(why)
}

// afterwards waits a little for an interrupted script, and then gives it up.
func (m *Machine) afterwards(src Source, why error, done <-chan outcome) *outcome {
	tick := time.NewTicker(look)
	defer tick.Stop()
	for had := (stopwatch{last: time.Now()}); had.look() < grace; {
		select {
		case out := <-done:
			return &out
		case <-tick.C:
		}
	}
	m.lost = &Error{Source: src, Message: why.Error() + ", and it could not be stopped", Limit: true}
	m.vm = goja.New()
	m.cache.stuck.Add(1)
	go func() {
		<-done
		m.cache.stuck.Add(-1)
	}()
	return &outcome{err: m.lost}
}

// try runs f and names its faults.
func (m *Machine) try(src Source, f func() (goja.Value, error)) (v goja.Value, err error) {
	defer func() {
		if r := recover(); r != nil {
			v, err = nil, &Error{Source: src, Message: fmt.Sprintf("script engine: %v", r)}
		}
	}()
	if v, err = f(); err != nil {
		return nil, m.fault(src, err)
	}
	return v, nil
}

// growth is how much the heap grows while a script runs.
type growth struct {
	cache  *Cache
	sample []metrics.Sample
	base   uint64
}

// observe begins to look at the heap for a script that has not ended at once.
func (c *Cache) observe() *growth {
	c.observed.Add(1)
	g := &growth{cache: c, sample: []metrics.Sample{
		{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"},
	}}
	g.base = g.heap()
	return g
}

func (g *growth) end() { g.cache.observed.Add(-1) }

func (g *growth) heap() uint64 {
	metrics.Read(g.sample)
	return g.sample[0].Value.Uint64() + g.sample[1].Value.Uint64()
}

// bytes is this script's share of the growth: nobody knows who allocates, so all
// that run for longer share it.
func (g *growth) bytes() uint64 {
	now := g.heap()
	g.base = min(g.base, now)
	return (now - g.base) / uint64(max(g.cache.observed.Load(), 1))
}

// Stuck is how many scripts are still running that were given up.
func (c *Cache) Stuck() int { return int(c.stuck.Load()) }
