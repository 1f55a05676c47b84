package call

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"mcp/control/call/lifecycle"
)

// What is wrong with a placement is said before anybody is called.
func TestPlacements(t *testing.T) {
	said := map[string]string{"User-to-User": "0437;encoding=hex", "X-Campaign": "9"}
	for _, tt := range []struct {
		name, to, aai string
		headers       map[string]string
		want          map[string]string
		says          string
	}{
		{name: "plain", to: "sip:bob@127.0.0.1"},
		{name: "all", to: "sips:bob@[::1]:5061", aai: "7", headers: map[string]string{"X-Campaign": "9"}, want: said},
		{name: "no URI", to: "bob", says: "no SIP URI"},
		{name: "no port", to: "sip:bob@127.0.0.1:sip", says: "no SIP URI"},
		{name: "too much", to: "sip:bob@127.0.0.1", aai: strings.Repeat("x", 129), says: "too long"},
		{name: "another way", to: "sip:bob@127.0.0.1", headers: map[string]string{"ROUTE": "<sip:evil>"}, says: "platform's to write"},
		{name: "short name", to: "sip:bob@127.0.0.1", headers: map[string]string{"m": "<sip:evil>"}, says: "platform's to write"},
		{name: "no name", to: "sip:bob@127.0.0.1", headers: map[string]string{"Subject : x": "y"}, says: "no name"},
		{name: "two lines", to: "sip:bob@127.0.0.1", headers: map[string]string{"Subject": "y\r\nRoute: x"}, says: "line break"},
	} {
		p, err := new(Server).newPlaced(Placement{Destination: Destination{To: tt.to, Headers: tt.headers}, AAI: tt.aai})
		switch {
		case tt.says != "":
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%s: %v", tt.name, err)
			}
		case err != nil:
			t.Errorf("%s: %v", tt.name, err)
		case !maps.Equal(p.what.Headers, tt.want):
			t.Errorf("%s: headers %v", tt.name, p.what.Headers)
		}
	}
}

// A call that is given up as its party answers ends all the same.
func TestGivenUpWhileAnswered(t *testing.T) {
	p, err := new(Server).newPlaced(Placement{Destination: Destination{To: "sip:x@127.0.0.1"}})
	if err != nil {
		t.Fatal(err)
	}
	c := &Call{dialog: p}
	c.inbox.Put(message{}) // for this test to handle
	c.givenUp()
	p.up()
	c.givenUp()
	var told []lifecycle.Trigger
	c.inbox.Handle(func(m message) { told = append(told, m.trigger) })
	if want := []lifecycle.Trigger{0, lifecycle.HangUp}; !slices.Equal(told, want) {
		t.Errorf("%v, want %v: a call hangs up once it is not wanted any more", told, want)
	}
}
