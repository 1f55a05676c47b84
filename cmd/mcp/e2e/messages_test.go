package e2e

import (
	"context"
	"testing"
	"time"

	"mcp/cmd/mcplab/caller"
	"mcp/control/sip"
)

// Messages between a page and whoever controls the call are INFO requests.
func TestMessages(t *testing.T) {
	r := newRig(t, nil)
	r.pages.page("/main.vxml", `<property name="com.genesyslab.externalevents.queue" value="true"/><form><block><gvp:send xmlns:gvp="http://www.genesyslab.com/2006/vxml21-extension" contenttype="text/x" body="a=1"/>
		<gvp:receive xmlns:gvp="http://www.genesyslab.com/2006/vxml21-extension" maxtime="20s"/>
		<log>got <value expr="application.lastmessage$.content + ' ' + application.lastmessage$.contenttype"/></log></block></form>`)
	sent := make(chan string, 1)
	answered := make(chan error, 1)
	phone := caller.NewPhone(r.agent, caller.Config{To: r.target(), Quiet: 300 * time.Millisecond, Asked: func(d *sip.Dialog, ev sip.Event) bool {
		info, ok := ev.(*sip.Info)
		if !ok {
			return false
		}
		sent <- info.ContentType + ": " + string(info.Body)
		if err := info.Respond(200); err != nil {
			t.Error(err)
		}
		go func() { answered <- d.Info(context.Background(), sip.Content{Type: "text/y", Body: []byte("b=2")}) }()
		return true
	}})
	steps, err := caller.ParseScript("await")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := phone.Call(ctx, steps); err != nil {
		t.Fatal(err)
	}
	if got := <-sent; got != "text/x: a=1" {
		t.Errorf("sent %q", got)
	}
	if err := <-answered; err != nil {
		t.Errorf("the platform refused the message: %v", err)
	}
	if got := r.log.wait(t, "page log")["text"]; got != "got b=2 text/y" {
		t.Errorf("the page %v", got)
	}
	r.nothingLeft()
}
