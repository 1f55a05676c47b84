package node

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"mcp/control/call"
)

func TestOutboundSection(t *testing.T) {
	for _, tt := range []struct {
		listen, token string
		fine          bool
	}{
		{"", "", true}, {"127.0.0.1:8310", "", true}, {"[::1]:8310", "", true}, {"localhost:8310", "", true},
		{"0.0.0.0:8310", "", false}, {":8310", "", false}, {"10.0.0.1:8310", "", false}, {"0.0.0.0:8310", "secret", true},
	} {
		o := Outbound{Listen: tt.listen, Token: tt.token, Timeout: time.Second}
		if err := o.Validate(); (err == nil) != tt.fine {
			t.Errorf("%s with token %q: %v", tt.listen, tt.token, err)
		}
	}
	if err := (Outbound{Timeout: time.Second, Allow: []string{"*.example.com", "10.0.0.*"}}).Validate(); err == nil || !strings.Contains(err.Error(), `allow: "10.0.0.*" is no destination`) {
		t.Errorf("allow: %v", err)
	}
}

// Whom the operator allows from now on can be called from now on, and nobody else.
func TestAllowedDestinationsChange(t *testing.T) {
	allowing := func(host string) Config {
		return Config{Calls: Calls{Outbound: Outbound{Allow: []string{host}}}}
	}
	n := &Node{cfg: allowing("a.example"), log: slog.New(slog.DiscardHandler), calls: &call.Server{}}
	d, err := n.dialling()
	if err != nil {
		t.Fatal(err)
	}
	allowed := func(host string) bool {
		var refused *call.Refusal
		_, err := d.Place(t.Context(), call.Placement{Destination: call.Destination{To: "sip:x@" + host}})
		return err != nil && !errors.As(err, &refused) // the server has no way out
	}
	if !allowed("a.example") || allowed("b.example") {
		t.Error("not as at the start")
	}
	if err := n.change(n.cfg, allowing("b.example")); err != nil {
		t.Fatal(err)
	}
	if allowed("a.example") || !allowed("b.example") {
		t.Error("not as was changed")
	}
	if err := n.change(allowing("b.example"), allowing("10.0.0.*")); err != nil {
		t.Fatal(err)
	}
	if !allowed("b.example") || allowed("10.0.0.1") {
		t.Error("what cannot be read has changed something")
	}
}
