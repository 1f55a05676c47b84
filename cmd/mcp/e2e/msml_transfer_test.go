package e2e

import (
	"slices"
	"testing"

	"mcp/cmd/mcplab/caller"
	"mcp/control/sip/header"
)

// TestMSMLPagesTransfer has pages that MSML runs transfer their connection, and tell the
// client what came of it.
func TestMSMLPagesTransfer(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, kind string
		status     int // of the REFER
		want       string
		hears      []float64 // the caller
		bob        []float64
	}{
		{"bridge", "bridge", 0, "far_end_disconnect", []float64{700}, []float64{400}},
		{"blind", "blind", 200, "sent", nil, []float64{1000}},
		{"blind, and the phone does not", "blind", 405, "error.unsupported.transfer.blind", nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, nil)
			b := newBob(t, "hear; wait 200ms")
			script := "await"
			if tt.kind == "bridge" {
				b.script, script = "say hum 700 400ms; hear; wait 100ms", "hear; say hum 400 400ms; await"
			}
			r.pages.page("/transfer.vxml", `<var name="t"/><catch event="connection.disconnect.transfer"><assign name="t" expr="'sent'"/><exit namelist="t"/></catch>
				<catch event="error"><assign name="t" expr="_event"/><exit namelist="t"/></catch>
				<form><transfer name="told" type="`+tt.kind+`" dest="`+b.uri()+`"><filled><assign name="t" expr="told"/><exit namelist="t"/></filled></transfer></form>`)
			s := r.steer(t)
			p := r.participateAs(t, script, caller.Config{Voice: hum, Asked: r.referee(tt.status, make(chan header.Party, 1))})
			s.ask(`<dialogstart target="` + p.id + `" name="d" type="application/voicexml+xml" src="` + r.pages.server.URL + `/transfer.vxml"/>`)
			if exit := s.event("msml.dialog.exit", p.id+"/dialog:d"); exit.value("t") != tt.want {
				t.Errorf("the page told %+v, want %s", exit, tt.want)
			}
			// Its end is told to nobody: the client hangs up without an answer to that.
			s.ask(`<dialogstart target="` + p.id + `" name="end"><disconnect/></dialogstart>`)
			if got := p.end(); !slices.Equal(got, tt.hears) {
				t.Errorf("the caller heard %v", got)
			}
			if tt.bob != nil {
				if got := heard(b.last()); !slices.Equal(got, tt.bob) {
					t.Errorf("bob heard %v", got)
				}
			}
		})
	}
}
