package sip

import (
	"context"
	"testing"
)

// BenchmarkCall is one whole call, INVITE to BYE, between two agents: what both
// ends of it cost.
func BenchmarkCall(b *testing.B) {
	for _, network := range []string{"udp", "tcp"} {
		b.Run(network, func(b *testing.B) {
			callee, caller := startAgent(b, answerAndWait), startAgent(b, noCalls)
			to := "sip:x@" + addrOf(callee, network) + ";transport=" + network
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					d, err := caller.Invite(context.Background(), Outgoing{To: to, Offer: []byte(someSDP)})
					if err != nil {
						b.Error(err)
						return
					}
					if err := d.Bye(context.Background(), nil); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.StopTimer()
		})
	}
}
