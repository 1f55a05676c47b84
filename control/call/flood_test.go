package call

import (
	"context"
	"strings"
	"sync"
	"testing"

	"mcp/control/sip/siptest"
)

// A far end that floods its call with requests is refused most of them while the call is
// busy, and the call goes on.
func TestFloodWithinACall(t *testing.T) {
	const flood, mostOpen = 1000, 64
	for _, tt := range []struct {
		name, method, contentType string
		status                    string // of those that the call takes note of in the end
	}{
		{"INFO", "INFO", "application/x-unknown", "SIP/2.0 415"},
		{"UPDATE without an offer", "UPDATE", "application/rs-metadata", "SIP/2.0 200"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			busy, free := make(chan struct{}), make(chan struct{})
			release := sync.OnceFunc(func() { close(free) })
			defer release()
			b := newBench(t, Config{}, &scripted{run: func(ctx context.Context, c *Call) Ending {
				if err := c.owned(func() error { close(busy); <-free; return nil }); err != nil {
					t.Error(err)
				}
				return untilHungUp(ctx, c)
			}})
			addr := strings.TrimSuffix(strings.TrimPrefix(b.target, "sip:ivr@"), ";transport=tcp")
			peer := siptest.Dial(t, "tcp", addr)
			c := siptest.NewCall(peer, "sip:ivr@"+addr)
			peer.Send(c.Request("INVITE").WithSDP(string(offer())))
			ok := peer.Expect("SIP/2.0 200", "SIP/2.0 100")
			c.Establish(ok)
			peer.Send(c.Ack(ok))
			<-busy
			for i := range flood {
				m := c.Request(tt.method).With("Content-Type", tt.contentType)
				m.Body = "what nobody asked for"
				peer.Send(m)
				if i >= mostOpen {
					peer.Expect("SIP/2.0 503")
				}
			}
			release()
			for range mostOpen {
				peer.Expect(tt.status)
			}
			peer.Send(c.Request("BYE"))
			peer.Expect("SIP/2.0 200")
			b.record()
			b.empty()
		})
	}
}
