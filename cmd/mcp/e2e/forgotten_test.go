package e2e

import (
	"net"
	"strings"
	"testing"

	"mcp/control/sip/siptest"
)

// TestPartyIsForgotten ends a bridge whose party's machine begins anew and knows
// nothing of the call: network_disconnect.
func TestPartyIsForgotten(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	uri := "sip:bob@" + listener.Addr().String() + ";transport=tcp"
	forgetful := make(chan struct{})
	go func() {
		defer close(forgetful)
		// asked takes a request on a new connection, or on one that there is.
		asked := func(peer *siptest.Peer, method string) (*siptest.Peer, siptest.Message) {
			if peer == nil {
				conn, err := listener.Accept()
				if err != nil {
					t.Error(err)
					return nil, siptest.Message{}
				}
				peer = siptest.Adopt(t, conn)
			}
			m, ok := peer.Within(patience)
			if !ok || !strings.HasPrefix(m.Start, method+" ") {
				t.Errorf("not asked for %s: %s", method, m)
			}
			return peer, m
		}
		peer, invite := asked(nil, "INVITE")
		if peer == nil {
			return
		}
		peer.Send(siptest.Reply(invite, 200, "OK").Add("Contact", "<"+uri+">").WithSDP(steererSDP))
		asked(peer, "ACK")
		peer.Close()
		if peer, options := asked(nil, "OPTIONS"); peer != nil {
			peer.Send(siptest.Reply(options, 481, "Call/Transaction Does Not Exist"))
		}
	}()
	r := newRig(t, nil)
	r.transferring(`<transfer name="t" type="bridge" dest="` + uri + `">`)
	if _, err := r.dial(t.Context(), r.target(), "await"); err != nil {
		t.Fatal(err)
	}
	r.wantTransfer("bridge", uri, "network_disconnect")
	if told, seconds := r.told(); told != "network_disconnect" || seconds > patience.Seconds() {
		t.Errorf("the page told %q after %v s", told, seconds)
	}
	<-forgetful
	r.nothingLeft()
}
