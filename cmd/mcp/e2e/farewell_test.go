package e2e

import (
	"context"
	"testing"

	"mcp/cmd/mcplab/caller"
	"mcp/control/sip"
)

// What a dialogue returns is the body of the BYE (RFC 5552 section 4.2).
func TestByeReturnsValues(t *testing.T) {
	tests := []struct{ name, end, want string }{
		{"exit", `<exit/>`, "__reason=exit"},
		{"exit with a value", `<exit expr="'done'"/>`, "__exit=%22done%22&__reason=exit"},
		{"exit with variables", `<exit namelist="pin errors"/>`, "pin=1234&errors=0&__reason=exit"},
		{"disconnect, and an exit that is too late", `<disconnect namelist="errors"/>`, "errors=0&__reason=disconnect"},
		{"nothing left to do", ``, ""},
		{"an error", `<throw event="error.own"/>`, ""},
	}
	r := newRig(t, nil)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r.pages.page("/main.vxml", `<var name="pin" expr="1234"/><var name="errors" expr="0"/>
				<catch event="connection.disconnect"><exit namelist="pin"/></catch><form><block>`+tt.end+`</block></form>`)
			if got := r.farewell(t); got != tt.want {
				t.Errorf("the BYE says %q, want %q", got, tt.want)
			}
		})
	}
	r.nothingLeft()
}

// farewell places a call and returns the body of the platform's BYE.
func (r *rig) farewell(t *testing.T) string {
	said := make(chan sip.ByeReceived, 1)
	phone := caller.NewPhone(r.agent, caller.Config{To: r.target(), Asked: func(_ *sip.Dialog, ev sip.Event) bool {
		if bye, ok := ev.(sip.ByeReceived); ok {
			said <- bye
		}
		return false
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
	bye := <-said
	if form := "application/x-www-form-urlencoded;charset=utf-8"; len(bye.Body) > 0 && bye.ContentType != form {
		t.Errorf("the body is %s", bye.ContentType)
	}
	return string(bye.Body)
}
