package call

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"mcp/control/admission"
	"mcp/control/sip"
)

// Overload is how new calls are refused for want of capacity.
type Overload struct {
	// Limits are those besides Config.Max; their Calls is taken from there.
	Limits admission.Limits
	// Status of the refusal: 503 when zero; the product sends 486.
	Status int
	// RetryAfter is what a refusal with 503 asks for. 5 s when zero.
	RetryAfter time.Duration
}

func (o Overload) withDefaults() Overload {
	if o.RetryAfter == 0 {
		o.RetryAfter = 5 * time.Second
	}
	return o
}

// gatekeeper lets calls in, or not, and says so without flooding the log.
type gatekeeper struct {
	gate    *admission.Gate
	cpu     admission.CPU
	refusal atomic.Pointer[sip.Refusal]

	mu      sync.Mutex
	idle    *sync.Cond // signalled when a call has gone
	said    time.Time
	refused [causes]int // since said
}

const causes = int(admission.NoCPU) + 1

func newGatekeeper(c Config) *gatekeeper {
	k := &gatekeeper{gate: admission.New(admission.Limits{})}
	k.idle = sync.NewCond(&k.mu)
	k.limit(c.Max, c.Overload)
	return k
}

func (k *gatekeeper) limit(most int, o Overload) {
	limits := o.Limits
	limits.Calls, limits.Ports = most, max(1, limits.Ports)
	k.gate.Limit(limits)
	refusal := &sip.Refusal{Status: cmp.Or(o.Status, 503)}
	if refusal.Status == 503 {
		after := max(1, int(o.RetryAfter.Seconds()))
		refusal.Headers = map[string]string{"Retry-After": fmt.Sprint(after)}
	}
	k.refusal.Store(refusal)
}

// Limit changes how many calls are served at once and how more are refused, as
// Config.Max and Config.Overload say at first. Calls that are up go on.
func (s *Server) Limit(most int, o Overload) {
	o = o.withDefaults()
	s.mu.Lock()
	s.config.Max, s.config.Overload = most, o
	s.mu.Unlock()
	s.gate.limit(most, o)
}

func (s *Server) load() admission.Load {
	return admission.Load{Calls: s.Active(), FreePorts: s.engine.FreePorts(), CPU: s.gate.cpu.Share()}
}

// Admit implements sip.Gate.
func (s *Server) Admit() *sip.Refusal {
	cause := s.gate.gate.Admit(s.load(), time.Now())
	if cause == admission.None {
		return nil
	}
	s.turnedAway(cause)
	return s.gate.refusalFor(cause)
}

// refusalFor is the configured one, except that a platform which drains is never
// just busy.
func (k *gatekeeper) refusalFor(cause admission.Cause) *sip.Refusal {
	refusal := k.refusal.Load()
	if cause == admission.Draining && refusal.Status != 503 {
		return &sip.Refusal{Status: 503}
	}
	return refusal
}

// turnedAway counts a refusal, and logs at most one line a second.
func (s *Server) turnedAway(cause admission.Cause) {
	s.metrics.refused.WithLabelValues(cause.String()).Inc()
	k := s.gate
	k.mu.Lock()
	defer k.mu.Unlock()
	k.refused[cause]++
	if time.Since(k.said) < time.Second {
		return
	}
	args := []any{"calls", s.Active()}
	for _, c := range admission.Causes() {
		if n := k.refused[c]; n > 0 {
			args = append(args, c.String(), n)
		}
	}
	k.refused, k.said = [causes]int{}, time.Now()
	s.log.Warn("calls refused for want of capacity, by cause", args...)
}

// Capacity implements sip.Gate: how many calls there are and could be, how busy
// the processors are, and whether the platform drains.
func (s *Server) Capacity() (map[string]string, *sip.Refusal) {
	load := s.load()
	cause := s.gate.gate.Full(load)
	free, draining := s.gate.gate.Free(load), "no"
	if cause == admission.Draining {
		free, draining = 0, "yes"
	}
	headers := map[string]string{
		"X-MCP-Capacity": fmt.Sprintf("calls=%d;free=%d;cpu=%d;draining=%s", load.Calls, free, int(load.CPU*100), draining),
	}
	if cause == admission.None {
		return headers, nil
	}
	return headers, s.gate.refusalFor(cause)
}

// Drain takes no more calls and returns when the last one has ended, or the
// context has.
func (s *Server) Drain(ctx context.Context) error {
	s.gate.gate.Drain()
	k := s.gate
	stop := context.AfterFunc(ctx, func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.idle.Broadcast()
	})
	defer stop()
	k.mu.Lock()
	defer k.mu.Unlock()
	for s.Active() > 0 {
		if ctx.Err() != nil {
			return fmt.Errorf("%d calls are left: %w", s.Active(), context.Cause(ctx))
		}
		k.idle.Wait()
	}
	return nil
}

// left tells who waits that a call has gone.
func (k *gatekeeper) left() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.idle.Broadcast()
}
