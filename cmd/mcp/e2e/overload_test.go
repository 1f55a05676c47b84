package e2e

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"testing"
	"time"

	"mcp/control/node"
	"mcp/control/sip"
)

// A platform with as many calls as it may have refuses more, by SIPp's account, and
// the call that is up goes on. Asked to stop, it takes none and says so, and ends
// with the last call.
func TestSIPpOverloadAndDrain(t *testing.T) {
	if _, err := exec.LookPath("sipp"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("sipp is not installed")
		}
		t.Skip("sipp is not installed")
	}
	r := newRig(t, func(c *node.Config) {
		c.Calls.Max, c.Calls.Drain = 1, patience
	})
	r.pages.page("/main.vxml", `<form><field name="a" type="digits"><prompt timeout="60s"/></field></form>`)
	ctx, hangUp := context.WithCancel(t.Context())
	defer hangUp()
	over := make(chan error, 1)
	go func() {
		_, err := r.call(ctx, "wait 60s")
		over <- err
	}()
	r.log.wait(t, "call answered")
	r.sipp(t, "uac_refused.xml", nil)
	r.stop()
	r.log.wait(t, "draining")
	r.sipp(t, "uac_drained.xml", nil)
	r.sipp(t, "uac_refused.xml", nil)
	select {
	case err := <-over:
		t.Fatalf("the call ended: %v", err)
	case <-r.ended:
		t.Fatal("the platform ended before its call")
	default:
	}
	hangUp()
	if err := <-over; !errors.Is(err, context.Canceled) && !errors.Is(err, sip.ErrEnded) {
		t.Errorf("the call: %v", err)
	}
	select {
	case <-r.ended:
	case <-time.After(patience):
		t.Error("the platform goes on after its last call")
	}
}
