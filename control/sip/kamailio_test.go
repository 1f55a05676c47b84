package sip

import (
	"context"
	"testing"

	"mcp/control/sip/kamailiotest"
)

// TestCallsThroughKamailio has SIPp call through a proxy that record-routes, so
// that ACK, BYE and re-INVITE find their way by the route set alone; one kind of
// call is hung up by the agent. (CANCEL is not among them: the proxy's processes
// may swap its 200 and the 487, which SIPp does not forgive.)
func TestCallsThroughKamailio(t *testing.T) {
	needTool(t, "sipp")
	for scenario, callee := range map[string]handle{
		"uac_basic.xml":           patientCallee,
		"uac_delayed_offer.xml":   patientCallee,
		"uac_bye_immediately.xml": patientCallee,
		"uac_hold.xml":            patientCallee,
		"uac_hears_bye.xml":       hangingUpCallee,
	} {
		t.Run(scenario, func(t *testing.T) {
			a := startAgent(t, callee)
			runSIPp(t, kamailiotest.Start(t, freePort(t), addrOf(a, "tcp")), "u1", scenario)
			eventually(t, "every dialog is over", func() bool { return len(a.all()) == 0 })
		})
	}
}

// hangingUpCallee answers and hangs up.
func hangingUpCallee(ctx context.Context, d *Dialog) {
	if d.Answer(ctx, []byte(someSDP)) == nil {
		_ = d.Bye(ctx, nil)
	}
}
