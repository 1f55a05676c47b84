package call

import (
	"context"
	"slices"
	"testing"

	"mcp/control/reporting"
	"mcp/control/sip"
	"mcp/control/sip/header"
)

// Why a far end hangs up, or gives up, is kept in the call's record (RFC 3326).
func TestFarEndSaysWhy(t *testing.T) {
	elsewhere := header.Reason{Protocol: "SIP", Cause: 200, Text: "Call completed elsewhere"}
	t.Run("in a BYE", func(t *testing.T) {
		b := newBench(t, Config{}, &scripted{run: untilHungUp})
		d, err := b.dial(offer())
		if err != nil {
			t.Fatal(err)
		}
		said := elsewhere.String() + `, Q.850;cause=16, Preemption;cause=none`
		if err := d.Bye(t.Context(), map[string]string{"Reason": said}); err != nil {
			t.Error(err)
		}
		want := []reporting.Reason{{Protocol: "SIP", Cause: 200, Text: "Call completed elsewhere"}, {Protocol: "Q.850", Cause: 16}}
		if r := b.record(); r.End.Cause != reporting.HangUp || !slices.Equal(r.End.Reasons, want) {
			t.Errorf("record %+v", r.End)
		}
		b.empty()
	})
	t.Run("in a CANCEL", func(t *testing.T) {
		preparing := make(chan struct{})
		b := newBench(t, Config{}, &scripted{prepare: func(ctx context.Context, _ *Call) error {
			close(preparing)
			<-ctx.Done()
			return ctx.Err()
		}})
		ctx, giveUp := context.WithCancelCause(t.Context())
		go func() { <-preparing; giveUp(elsewhere) }()
		if _, err := b.caller.Invite(ctx, sip.Outgoing{To: b.target, Offer: offer()}); err == nil {
			t.Fatal("the call was answered")
		}
		want := []reporting.Reason{{Protocol: "SIP", Cause: 200, Text: "Call completed elsewhere"}}
		if r := b.record(); r.End.Cause != reporting.Cancelled || !slices.Equal(r.End.Reasons, want) {
			t.Errorf("record %+v", r.End)
		}
		b.empty()
	})
}
