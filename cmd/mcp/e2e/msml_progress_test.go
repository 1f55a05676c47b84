package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"mcp/control/reporting"
)

// own names the namespace of MSML's extensions of our own.
const own = ` xmlns:mcp="urn:mcp:msml"`

// TestMSMLCallProgress has connections listened to: a message is left after a machine's
// beep, and what else answers is told.
func TestMSMLCallProgress(t *testing.T) {
	t.Parallel()
	y := newTelephony(t)
	r := newRig(t, analysing)
	r.pages.tunes()
	s := r.steer(t)
	analyse := func(script, dialog string) *participant {
		t.Helper()
		p := r.participateWith(t, script, y.voice)
		if result := s.ask(`<dialogstart target="` + p.id + `" name="cpa"` + own + `>` + dialog + `</dialogstart>`); result.Response != 200 {
			t.Fatalf("%+v", result)
		}
		return p
	}
	const told = `<disconnect namelist="progress.outcome progress.answered progress.beep progress.end"/>`
	machine := analyse("wait 200ms; say machine; await", `<mcp:progress until="beep"><mcp:progressexit>
		<send target="source" event="heard" namelist="progress.outcome progress.beep"/></mcp:progressexit></mcp:progress>
		<play><audio uri="`+r.pages.server.URL+`/400/300ms"/></play>`+told)
	person := analyse("wait 200ms; say hello; await", `<group topology="parallel"><mcp:progress id="who" profile="normal"><mcp:progressexit>
		<send target="group" event="terminate"/></mcp:progressexit></mcp:progress><dtmf fdt="30s"><noinput/></dtmf></group>`+told)
	nobody := analyse("await", `<mcp:progress maxtime="400ms"/>`+told)
	given := analyse("await", `<mcp:progress/>`+told)
	s.ask(`<send target="` + given.id + `/dialog:cpa/progress" event="terminate"/>`)

	if heard := s.event("heard", machine.id+"/dialog:cpa"); heard.value("progress.outcome") != "machine" || heard.value("progress.beep") != "true" {
		t.Errorf("%+v", heard)
	}
	for _, tt := range []struct {
		p    *participant
		want []string
	}{
		{machine, []string{"machine", "true", "true", "progress.complete"}},
		{person, []string{"human", "true", "false", "progress.complete"}},
		{nobody, []string{"", "false", "false", "progress.complete.maxtime"}},
		{given, []string{"", "false", "false", "progress.terminated"}},
	} {
		if exit := s.event("msml.dialog.exit", tt.p.id+"/dialog:cpa"); !slices.Equal(exit.Values, tt.want) {
			t.Errorf("%+v, want %v", exit, tt.want)
		}
		tt.p.end()
	}
	if got, said := tones(machine.summary), machine.summary.Said; len(got) != 1 || got[0].Hz != 400 || got[0].Start < said[0].End()-40*time.Millisecond {
		t.Errorf("heard %+v, the beep was over at %s", got, said[0].End())
	}
	r.wantProgress(t, func(rec *reporting.Record) bool { return rec.SIPCallID == machine.summary.CallID }, "caller", "machine")
}

// TestMSMLCallProgressIsRefused where there is nobody to listen to.
func TestMSMLCallProgressIsRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	s := r.steer(t)
	s.ask(`<createconference name="c"/>`)
	result := s.ask(`<dialogstart target="conf:c"` + own + `><group topology="parallel"><mcp:progress/></group></dialogstart>`)
	if result.Response != 402 || !strings.Contains(result.Description, "conferences") {
		t.Errorf("%+v", result)
	}
}
