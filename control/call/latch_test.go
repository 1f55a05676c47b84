package call

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	"mcp/control/media"
	"mcp/control/sdp"
)

// A caller behind NAT names an address that is not seen; its audio comes from
// where its signalling comes from. It is heard only where that may be learned.
func TestSymmetricRTP(t *testing.T) {
	for _, tt := range []struct {
		what  string
		latch time.Duration
		done  func(media.LegStats) bool
	}{
		{"off", 0, func(s media.LegStats) bool { return s.Dropped["source"] == 2 && s.RxPackets == 0 }},
		{"on", time.Hour, func(s media.LegStats) bool { return s.Dropped["probation"] == 1 && s.RxPackets == 1 }},
	} {
		t.Run(tt.what, func(t *testing.T) { talkBehindNAT(t, Config{Latch: tt.latch}, tt.done) })
	}
}

func talkBehindNAT(t *testing.T, config Config, done func(media.LegStats) bool) {
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(loopback, 0)))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	judged := make(chan media.LegStats, 1)
	b := newBench(t, config, &scripted{run: func(ctx context.Context, c *Call) Ending {
		deadline := time.Now().Add(patience)
		for {
			s, err := c.Caller().Stats()
			if err != nil || done(s) || time.Now().After(deadline) {
				judged <- s
				return untilHungUp(ctx, c)
			}
			time.Sleep(time.Millisecond)
		}
	}})
	behind := sdp.Local{
		Addr: netip.MustParseAddrPort("127.0.0.99:4000"), Codecs: sdp.DefaultCodecs(), Events: 101,
		Direction: sdp.SendRecv, SessionID: 1, Version: 1,
	}
	d, err := b.dial(sdp.Offer(behind))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := sdp.Parse(d.RemoteSDP())
	if err != nil {
		t.Fatal(err)
	}
	packet := append([]byte{0x80, 0, 0, 1, 0, 0, 0, 160, 1, 2, 3, 4}, make([]byte, 160)...)
	for range 2 {
		if _, err := conn.WriteToUDPAddrPort(packet, answer.Audio.RTP); err != nil {
			t.Fatal(err)
		}
		packet[3]++
	}
	if s := <-judged; !done(s) {
		t.Errorf("%+v", s)
	}
	if err := d.Bye(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	b.record()
	b.empty()
}
