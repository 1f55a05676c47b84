package call

import (
	"context"
	"math"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"mcp/control/media"
	"mcp/control/media/codec"
	"mcp/control/media/measure"
	"mcp/control/sdp"
)

// A caller who falls silent by comfort noise (RFC 3389) is heard as noise at the level
// that it told, where that is configured; otherwise it is not agreed on.
func TestACallersComfortNoiseIsHeard(t *testing.T) {
	for _, wanted := range []bool{true, false} {
		conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(loopback, 0)))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		heard := make(chan media.Heard, 1000)
		b := newBench(t, Config{Noise: wanted}, &scripted{run: func(ctx context.Context, c *Call) Ending {
			_, err := c.Caller().Tap(media.ListenerFunc(func(h media.Heard) {
				h.Payload = slices.Clone(h.Payload)
				select {
				case heard <- h:
				default:
				}
			}))
			if err != nil {
				t.Error(err)
			}
			return untilHungUp(ctx, c)
		}})
		d, err := b.dial(sdp.Offer(sdp.Local{
			Addr: conn.LocalAddr().(*net.UDPAddr).AddrPort(), Codecs: sdp.DefaultCodecs(), Events: 101, Noise: true,
			Direction: sdp.SendRecv, SessionID: 1, Version: 1,
		}))
		if err != nil {
			t.Fatal(err)
		}
		answer, err := sdp.Parse(d.RemoteSDP())
		if err != nil {
			t.Fatal(err)
		}
		agreed := slices.ContainsFunc(answer.Audio.Codecs, func(c sdp.Codec) bool { return c.Name == "CN" && c.PayloadType == 13 })
		if agreed != wanted {
			t.Errorf("comfort noise is wanted %t, agreed on %t", wanted, agreed)
		}
		if wanted {
			hush(t, conn, answer.Audio.RTP, heard)
		}
		if err := d.Bye(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		b.record()
		b.empty()
	}
}

// hush is silent by one packet, and judges a quarter of a second of what is heard.
func hush(t *testing.T, conn *net.UDPConn, to netip.AddrPort, heard <-chan media.Heard) {
	packet := append([]byte{0x80, 0, 0, 1, 0, 0, 0, 160, 1, 2, 3, 4}, make([]byte, 160)...)
	noise := []byte{0x80, 13, 0, 2, 0, 0, 1, 64, 1, 2, 3, 4, 35, 100}
	for first := true; first; { // until the service listens
		if _, err := conn.WriteToUDPAddrPort(packet, to); err != nil {
			t.Fatal(err)
		}
		select {
		case <-heard:
			first = false
		case <-time.After(20 * time.Millisecond):
		}
		packet[3]++
		noise[3] = packet[3]
	}
	if _, err := conn.WriteToUDPAddrPort(noise, to); err != nil {
		t.Fatal(err)
	}
	var pcm []int16
	for len(pcm) < 2000 {
		h := <-heard
		if h.Payload[0] == 0 && h.Payload[1] == 0 {
			continue // of the packets before
		}
		frame, err := codec.PCMU.Decode(h.Payload)
		if err != nil {
			t.Fatal(err)
		}
		pcm = append(pcm, frame...)
	}
	if got := measure.Level(pcm); math.Abs(got-(6.18-35)) > 2 {
		t.Errorf("the noise is at %.1f dBm0", got)
	}
}
