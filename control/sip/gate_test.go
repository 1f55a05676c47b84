package sip

import (
	"context"
	"sync/atomic"
	"testing"

	"mcp/control/sip/siptest"
)

// gated is a handler that can be full.
type gated struct {
	handle
	full  atomic.Bool
	asked atomic.Int64
}

func (g *gated) Admit() *Refusal {
	g.asked.Add(1)
	if g.full.Load() {
		return &Refusal{Status: 486, Headers: map[string]string{"X-Why": "full"}}
	}
	return nil
}

func (g *gated) Capacity() (map[string]string, *Refusal) {
	return map[string]string{"X-MCP-Capacity": "calls=1"}, g.Admit()
}

func startGated(t *testing.T, g *gated) *Agent {
	t.Helper()
	a, err := New(Config{Listen: []string{"udp:127.0.0.1:0", "tcp:127.0.0.1:0"}, T1: testT1}, discard())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- a.Serve(ctx, g) }()
	t.Cleanup(func() {
		stop()
		<-served
		empty(t, a)
	})
	return a
}

func TestCallsAreTurnedAwayWithoutState(t *testing.T) {
	bothTransports(t, func(t *testing.T, network string) {
		g := &gated{handle: answerAndWait}
		a := startGated(t, g)
		p, c := newCall(t, a, network)
		establish(t, c)
		if network == "tcp" { // the other connection's INVITE can overtake this one's ACK
			eventually(t, "the call is acknowledged", func() bool {
				servers, _ := a.wire.Transactions()
				return servers == 0
			})
		}
		g.full.Store(true)
		q, second := newCall(t, a, network)
		invite := second.Request("INVITE").WithSDP(someSDP)
		q.Send(invite)
		busy := q.Expect("SIP/2.0 486")
		if busy.Get("X-Why") != "full" || siptest.Param(busy.Get("To"), "tag") == "" {
			t.Errorf("refused by\n%s", busy)
		}
		if servers, _ := a.wire.Transactions(); servers != 0 && network == "tcp" {
			t.Errorf("%d transactions", servers)
		}
		if network == "udp" { // the refusal was lost, and there is room meanwhile
			g.full.Store(false)
			q.Send(invite)
			again := q.Expect("SIP/2.0 503")
			if again.Get("To") != busy.Get("To") {
				t.Errorf("another tag:\n%s", again)
			}
			g.full.Store(true)
		}
		q.Send(second.Ack(busy))
		p.Send(c.Request("OPTIONS")) // the call that is up goes on
		p.Expect("SIP/2.0 200")
		hangUp(p, c)
		q.Send(second.Request("OPTIONS"))
		if res := q.Expect("SIP/2.0 486", "SIP/2.0 503"); res.Get("X-MCP-Capacity") != "calls=1" || res.Get("X-Why") != "full" {
			t.Errorf("OPTIONS answered by\n%s", res)
		}
	})
}
