package e2e

import (
	"strings"
	"testing"

	"mcp/control/node"
	"mcp/control/reporting/live"
	"mcp/control/reporting/recent"
)

// Who follows a call is shown what an author needs: what was fetched, where the
// dialogue is, and why it goes where it goes.
func TestDialogueIsFollowed(t *testing.T) {
	dir := t.TempDir()
	r := newRig(t, func(c *node.Config) { c.Application.Trace = dir })
	r.pages.page("/main.vxml", `<form id="pin"><field name="k">`+dtmfGrammar+`</field><block><goto next="other.vxml#mian"/></block>
		<catch event="error.badfetch"><goto next="#end"/></catch></form><form id="end"><subdialog name="s" src="#sub"/><block><exit/></block></form>
		<form id="sub"><block><return/></block></form>`)
	r.pages.page("/other.vxml", `<form id="main"/>`)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = r.call(t.Context(), "wait 1s; dtmf 2749; await") // the page hangs up, perhaps before the last key's end
	}()
	defer func() { <-done }()
	var client *live.Client
	var calls []recent.Dialogue
	await(t, "the call", func() bool {
		for _, socket := range live.Sockets(dir) {
			client = live.NewClient(socket)
			calls, _ = client.Calls(t.Context())
		}
		return len(calls) == 1
	})
	var shown []string
	err := client.Follow(t.Context(), recent.Wanted{Call: calls[0].ID, Variables: true}, func(e recent.Line) error {
		text, _, _ := strings.Cut(strings.ReplaceAll(e.Text, r.pages.server.URL, ""), " in ")
		shown = append(shown, e.Kind+" "+text)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(shown, "\n")
	rest := all
	for _, want := range []string{
		"begun /main.vxml", "fetched GET /main.vxml: 200", "entered /main.vxml", "dialog pin", "item k", "waiting dtmf", "heard dtmf: 2749",
		`filled k = "2749"`, `changed dialog.k = "2749"`, "item block 1", "goes to /other.vxml", "fetched GET /other.vxml: 200", "thrown error.badfetch", `did you mean "main"?`, "handler error.badfetch",
		"goes to #end", "dialog end", "item s", "calls s", "dialog sub", "returned s", "ended exit",
	} {
		_, after, found := strings.Cut(rest, want)
		if !found {
			t.Fatalf("%q is not shown, or not there, in\n%s", want, all)
		}
		rest = after
	}
}
