package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"mcp/control/reporting"
)

// TestCallerHangsUpAtEveryMoment ends a call at each thing that the platform
// does in it, and at moments in between: there is one record, and nothing is left.
func TestCallerHangsUpAtEveryMoment(t *testing.T) {
	moments := []string{
		"call offered", "page entered", "call answered", "said", "understood", "field filled", "dtmf", "event thrown",
	}
	for _, moment := range moments {
		t.Run(moment, func(t *testing.T) {
			r := newRig(t, nil)
			asking(r.pages)
			ctx, hangUp := context.WithCancel(t.Context())
			go func() {
				defer hangUp()
				for ctx.Err() == nil && len(r.log.lines(moment)) == 0 && len(r.log.lines("call ended")) == 0 {
					time.Sleep(time.Millisecond)
				}
			}()
			summary, err := r.call(ctx, "listen; say yes; listen; dtmf 2749; await")
			if err == nil && summary.EndedBy == "caller" {
				t.Error("the script ended by itself")
			}
			r.oneRecord()
			r.nothingLeft()
		})
	}
}

// oneRecord proves that the call ended, once.
func (r *rig) oneRecord() {
	r.t.Helper()
	rec := r.record(1)
	ends := r.log.lines("call ended")
	await(r.t, "the line of the call's end", func() bool { ends = r.log.lines("call ended"); return len(ends) > 0 })
	if len(ends) != 1 || ends[0]["call"] != rec.ID {
		r.t.Errorf("lines of the end: %v", ends)
	}
	switch rec.End.Cause {
	case reporting.HangUp, reporting.Cancelled, reporting.Disconnected, reporting.DialogLost, reporting.NoAck:
	default:
		r.t.Errorf("record: %+v", rec.End)
	}
}

// TestCallerHangsUpDuringFetches holds the web server's answer until the caller
// has gone: before the answer to the INVITE, and in mid-call.
func TestCallerHangsUpDuringFetches(t *testing.T) {
	for _, path := range []string{"/main.vxml", "/next.vxml"} {
		t.Run(path, func(t *testing.T) {
			r := newRig(t, nil)
			r.pages.page("/main.vxml", `<form><block><goto next="/next.vxml"/></block></form>`)
			fetching, release := make(chan struct{}), make(chan struct{})
			r.pages.handle(path, func(_ http.ResponseWriter, req *http.Request) {
				close(fetching)
				select {
				case <-release:
				case <-req.Context().Done():
				}
			})
			defer close(release)
			ctx, hangUp := context.WithCancel(t.Context())
			go func() { <-fetching; hangUp() }()
			if _, err := r.call(ctx, "await"); !errors.Is(err, context.Canceled) {
				t.Logf("the caller: %v", err)
			}
			r.oneRecord()
			r.nothingLeft()
		})
	}
}

// TestManyCallsLeaveNothing is a hundred calls one after the other and fifty at
// once, each with a prompt from the speech server.
func TestManyCallsLeaveNothing(t *testing.T) {
	r := newRig(t, nil)
	r.pages.page("/main.vxml", `<form><block><prompt>Hello</prompt><disconnect/></block></form>`)
	one := func() error {
		summary, err := r.call(t.Context(), "await")
		if err != nil {
			return err
		}
		if faults := summary.Received.Faults(); len(faults) > 0 {
			return fmt.Errorf("what the caller received: %v", faults)
		}
		return nil
	}
	if err := one(); err != nil { // fills caches and pools
		t.Fatal(err)
	}
	r.nothingLeft()
	before := r.metric("go_goroutines")
	for range 99 {
		if err := one(); err != nil {
			t.Fatal(err)
		}
	}
	results := make(chan error, 50)
	for range 50 {
		go func() { results <- one() }()
	}
	for range 50 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	r.record(150)
	r.nothingLeft()
	t.Logf("goroutines of the process: %s before, %s after", before, r.metric("go_goroutines"))
}
