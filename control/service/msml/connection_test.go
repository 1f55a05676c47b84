package msml

import (
	"testing"

	"mcp/control/call"
	"mcp/control/sip"
)

// A call is an order's only if the platform has made it: who calls and sends an
// order's key gets nothing by it.
func TestOrdered(t *testing.T) {
	h := newHub()
	o := &order{id: "conn:bob", key: "secret"}
	if !h.order(o) || h.order(&order{id: "conn:bob", key: "other"}) {
		t.Error("a name is not taken once")
	}
	for _, tt := range []struct {
		name   string
		invite call.Identity
		key    string
		want   *order
	}{
		{"our call", &call.Placed{}, "secret", o},
		{"our call for something else", &call.Placed{}, "bob", nil},
		{"a caller with the key", &sip.Dialog{}, "secret", nil},
	} {
		if got := h.ordered(tt.invite, tt.key); got != tt.want {
			t.Errorf("%s: %+v", tt.name, got)
		}
	}
	h.fulfilled(o)
	if h.ordered(&call.Placed{}, "secret") != nil || !h.order(o) {
		t.Error("an order that is over is kept")
	}
}
