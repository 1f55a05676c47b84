package call

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"mcp/control/admission"
	"mcp/control/reporting"
	"mcp/control/sip"
	"mcp/control/sip/siptest"
)

// options asks the platform how it is.
func (b *bench) options() siptest.Message {
	b.t.Helper()
	addr, _, _ := strings.Cut(strings.TrimPrefix(b.target, "sip:ivr@"), ";")
	p := siptest.Dial(b.t, "tcp", addr)
	p.Send(siptest.NewCall(p, b.target).Request("OPTIONS"))
	return p.Next()
}

func TestCallsAboveTheLimitAreRefused(t *testing.T) {
	for _, tc := range []struct {
		name     string
		overload Overload
		status   int
		after    string
	}{
		{"503", Overload{RetryAfter: 7 * time.Second}, 503, "7"},
		{"486", Overload{Status: 486}, 486, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBench(t, Config{Max: 1, Overload: tc.overload}, &scripted{run: untilHungUp})
			if got := b.options(); got.Status() != 200 || got.Get("X-MCP-Capacity") != "calls=0;free=1;cpu=0;draining=no" {
				t.Errorf("OPTIONS answered by\n%s", got)
			}
			first, err := b.dial(offer())
			if err != nil {
				t.Fatal(err)
			}
			var rejected *sip.RejectedError
			if _, err := b.dial(offer()); !errors.As(err, &rejected) || rejected.Status != tc.status || strings.Join(rejected.Headers["retry-after"], "") != tc.after {
				t.Errorf("%v", err)
			}
			if got := b.options(); got.Status() != tc.status || !strings.HasPrefix(got.Get("X-MCP-Capacity"), "calls=1;free=0") {
				t.Errorf("OPTIONS answered by\n%s", got)
			}
			if err := first.Bye(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			b.record()
			b.empty()
			again, err := b.dial(offer())
			if err != nil {
				t.Fatalf("once there is room: %v", err)
			}
			if err := again.Bye(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			b.record()
		})
	}
}

func TestCallsAboveTheRateAreRefused(t *testing.T) {
	limits := admission.Limits{Rate: 2, Period: time.Hour}
	b := newBench(t, Config{Overload: Overload{Limits: limits}}, &scripted{run: func(context.Context, *Call) Ending {
		return Ending{Cause: reporting.Completed}
	}})
	for i := range 4 {
		d, err := b.dial(offer())
		if (err == nil) != (i < 2) {
			t.Errorf("call %d: %v", i, err)
		}
		if err == nil {
			for range d.Events() {
			}
			b.record()
		}
	}
}

// A platform that drains takes no call, says so, and waits for those it has.
func TestDrain(t *testing.T) {
	b := newBench(t, Config{Overload: Overload{Status: 486}}, &scripted{run: untilHungUp})
	d, err := b.dial(offer())
	if err != nil {
		t.Fatal(err)
	}
	soon, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := b.server.Drain(soon); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("drained with a call left: %v", err)
	}
	if got := b.options(); got.Status() != 503 || !strings.Contains(got.Get("X-MCP-Capacity"), "free=0") || !strings.Contains(got.Get("X-MCP-Capacity"), "draining=yes") {
		t.Errorf("OPTIONS answered by\n%s", got)
	}
	var rejected *sip.RejectedError
	if _, err := b.dial(offer()); !errors.As(err, &rejected) || rejected.Status != 503 {
		t.Errorf("a call while draining: %v", err)
	}
	drained := make(chan error, 1)
	go func() { drained <- b.server.Drain(t.Context()) }()
	if err := d.Bye(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if err := <-drained; err != nil {
		t.Error(err)
	}
	b.record()
	b.empty()
}
