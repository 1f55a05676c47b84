package sip

import (
	"context"
	"io"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mcp/control/sip/siptest"
)

// testT1 makes every timer five times as fast as it is by default; still a peer
// has six seconds for its ACK, which a busy machine needs.
const testT1 = defaultT1 / 5

// hasty is for tests that wait for timers to run out.
func hasty(c *Config) { c.T1 = defaultT1 / 50 }

// asPatient repeats and remembers for as long as a peer that has the default timers.
func asPatient(c *Config) { c.T1 = defaultT1 }

const someSDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
const otherSDP = "v=0\r\no=- 2 2 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4002 RTP/AVP 0\r\n"

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// handle makes a Handler of a function.
type handle func(ctx context.Context, d *Dialog)

func (h handle) Invite(ctx context.Context, d *Dialog) { h(ctx, d) }

// answerAndWait is the plainest callee there is.
func answerAndWait(ctx context.Context, d *Dialog) {
	if d.Ring(ctx) != nil || d.Answer(ctx, []byte(someSDP)) != nil {
		return
	}
	untilOver(ctx, d)
}

// untilOver collects events until the dialog is over. When the agent stops it
// takes what has come by then.
func untilOver(ctx context.Context, d *Dialog) []Event {
	var events []Event
	for {
		select {
		case e, ok := <-d.Events():
			if !ok {
				return events
			}
			events = append(events, e)
			continue
		default:
		}
		select {
		case e, ok := <-d.Events():
			if !ok {
				return events
			}
			events = append(events, e)
		case <-ctx.Done():
			return append(events, waiting(d)...)
		}
	}
}

func waiting(d *Dialog) []Event {
	var events []Event
	for len(d.Events()) > 0 {
		if e, ok := <-d.Events(); ok {
			events = append(events, e)
		}
	}
	return events
}

// startAgent serves on loopback, both transports, until the test ends.
func startAgent(t testing.TB, h handle, change ...func(*Config)) *Agent {
	t.Helper()
	cfg := Config{Listen: []string{"udp:127.0.0.1:0", "tcp:127.0.0.1:0"}, UserAgent: "test", T1: testT1}
	for _, f := range change {
		f(&cfg)
	}
	a, err := New(cfg, discard())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- a.Serve(ctx, h) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
		if t.Failed() {
			return
		}
		empty(t, a)
	})
	return a
}

// empty holds an agent to having nothing left.
func empty(t testing.TB, a *Agent) {
	t.Helper()
	eventually(t, "the agent is empty", func() bool { return leftovers(a) == 0 })
}

func leftovers(a *Agent) int {
	servers, clients := a.wire.Transactions()
	a.mu.Lock()
	defer a.mu.Unlock()
	return servers + clients + len(a.dialogs) + len(a.offers)
}

func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !cond() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func addrOf(a *Agent, network string) string {
	for _, addr := range a.Addrs() {
		if addr.Network() == network {
			return addr.String()
		}
	}
	return ""
}

// newCall makes a peer and a call to the agent.
func newCall(t testing.TB, a *Agent, network string) (*siptest.Peer, *siptest.Call) {
	t.Helper()
	addr := addrOf(a, network)
	p := siptest.Dial(t, network, addr)
	return p, siptest.NewCall(p, "sip:ivr@"+addr)
}

// bothTransports runs a test over TCP and over UDP.
func bothTransports(t *testing.T, f func(t *testing.T, network string)) {
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) { f(t, network) })
	}
}

// establish places a call that is answered, and returns after its ACK.
func establish(t testing.TB, c *siptest.Call) siptest.Message {
	t.Helper()
	c.Peer.Send(c.Request("INVITE").WithSDP(someSDP))
	res := c.Peer.Expect("SIP/2.0 200", "SIP/2.0 180")
	c.Establish(res)
	c.Peer.Send(c.Ack(res))
	return res
}

func isEvent[E Event](events []Event) bool {
	for _, e := range events {
		if _, ok := e.(E); ok {
			return true
		}
	}
	return false
}

func contains(s, part string) bool { return strings.Contains(s, part) }

func mustAddr(s string) netip.Addr { return netip.MustParseAddr(s) }

func discard() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }
