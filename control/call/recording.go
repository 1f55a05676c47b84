package call

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"

	"mcp/control/reporting"
)

// Recordings record whole calls.
type Recordings interface {
	// Begin begins to record a call whose caller's leg is open.
	Begin(ctx context.Context, c *Call) (Recording, error)
	// Vital says that a call which cannot be recorded is refused: Begin is called
	// before the answer. Others are recorded from the answer on, if they can be.
	Vital() bool
}

// Recording is one recording of a whole call, under way.
type Recording interface {
	// Silence switches a reason to record silence in place of the audio, such as private
	// input, on or off. Silence is recorded as long as any reason is on.
	Silence(reason string, on bool)
	// Stop ends the recording and enters it in the call's record. It may be called twice.
	Stop()
}

// Attentive is a Recording that is told which parties join the call, besides its
// caller, and leave it.
type Attentive interface {
	Joined(p *Party)
	Left(p *Party)
}

// private is the reason of Recording.Silence while the caller gives what is
// nobody's business.
const private = "private"

// recorded are the recordings that are made of a call.
type recorded struct {
	mu     sync.Mutex // guards what follows
	all    []Recording
	silent map[string]bool // reasons
	over   bool
}

// Private says whether what is said from now on is private: as long as it is,
// recordings of the whole call hold silence.
func (c *Call) Private(on bool) { c.Silence(private, on) }

// Silence switches a reason for silence on or off in all recordings of the whole call:
// see Recording.
func (c *Call) Silence(reason string, on bool) {
	c.recorded.mu.Lock()
	defer c.recorded.mu.Unlock()
	if c.recorded.silent[reason] == on {
		return
	}
	if c.recorded.silent == nil {
		c.recorded.silent = map[string]bool{}
	}
	c.recorded.silent[reason] = on
	for _, r := range c.recorded.all {
		r.Silence(reason, on)
	}
}

// Recorded tells whether the whole call is being recorded.
func (c *Call) Recorded() bool {
	c.recorded.mu.Lock()
	defer c.recorded.mu.Unlock()
	return len(c.recorded.all) > 0
}

// Keep adds a recording that a service has begun to those of the whole call: like them
// it holds silence while something is private, and is stopped when the call ends. After
// forget it is no longer one of them.
func (c *Call) Keep(r Recording) (forget func()) {
	c.recorded.add(r)
	return func() {
		c.recorded.mu.Lock()
		defer c.recorded.mu.Unlock()
		c.recorded.all = slices.DeleteFunc(c.recorded.all, func(one Recording) bool { return one == r })
	}
}

// recordVital begins the recordings without which the call is refused.
func (c *Call) recordVital(ctx context.Context) error {
	for _, maker := range c.server.recordings {
		if !maker.Vital() {
			continue
		}
		r, err := maker.Begin(ctx, c)
		if err != nil {
			err = fmt.Errorf("the call cannot be recorded: %w", err)
			return &Refusal{Status: 503, Reason: "Service Unavailable", Cause: reporting.PlatformError, Err: err}
		}
		c.recorded.add(r)
	}
	return nil
}

// record begins the other recordings. One that cannot be had leaves the call as it
// is: who keeps recordings has counted it, and nothing is in the clear that should
// not be.
func (c *Call) record(ctx context.Context) {
	for _, maker := range c.server.recordings {
		if maker.Vital() {
			continue
		}
		r, err := maker.Begin(ctx, c)
		if err != nil {
			c.log.Error("call is not recorded", "error", err)
			continue
		}
		c.recorded.add(r)
	}
}

func (r *recorded) add(one Recording) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over {
		one.Stop()
		return
	}
	for reason, on := range r.silent {
		if on {
			one.Silence(reason, true)
		}
	}
	r.all = append(r.all, one)
}

// unrecord ends the recordings.
func (c *Call) unrecord() {
	c.recorded.mu.Lock()
	defer c.recorded.mu.Unlock()
	c.recorded.over = true
	for _, r := range c.recorded.all {
		r.Stop()
	}
	c.recorded.all = nil
}

// attend tells the recordings that a party has come or gone.
func (c *Call) attend(p *Party, there bool) {
	c.recorded.mu.Lock()
	defer c.recorded.mu.Unlock()
	for _, r := range c.recorded.all {
		a, ok := r.(Attentive)
		switch {
		case !ok:
		case there:
			a.Joined(p)
		default:
			a.Left(p)
		}
	}
}

// MediaAddress is the local address of the caller's audio.
func (c *Call) MediaAddress() netip.Addr { return c.server.mediaAddress(c.dialog.LocalHost()) }
