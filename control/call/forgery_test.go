package call

import (
	"context"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"mcp/control/call/secure"
	"mcp/control/media"
	"mcp/control/media/rtpstream"
	"mcp/control/media/srtp"
	"mcp/control/media/srtp/srtptest"
	"mcp/control/sdp"
	"mcp/control/sip/siptest"
)

func udpSocket(t *testing.T) (*net.UDPConn, netip.AddrPort) {
	t.Helper()
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(loopback, 0)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn, conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

// callersLegs has calls go on until they are hung up, and tells of their callers' legs.
func callersLegs() (*scripted, <-chan *media.Leg) {
	legs := make(chan *media.Leg, 1)
	return &scripted{run: func(ctx context.Context, c *Call) Ending {
		legs <- c.Caller()
		return untilHungUp(ctx, c)
	}}, legs
}

// TestForgeriesEndNoCall sends a call packets with wrong tags, as many as FORGERIES
// says, from the host that the caller is on: none is taken, nothing is learned of where they came
// from, and the caller is heard then.
func TestForgeriesEndNoCall(t *testing.T) {
	forgeries, batch := 100_000, 100 // which a socket's buffer holds
	if n, err := strconv.Atoi(os.Getenv("FORGERIES")); err == nil {
		forgeries = n // 1000000 takes 13 s
	}
	config := required()
	config.Latch = time.Hour
	service, legs := callersLegs()
	b := newBench(t, config, service)
	c := dialRaw(t, b, protected(firstKey))
	leg := <-legs
	forger, _ := udpSocket(t)
	f := flood{t: t, conn: forger, leg: leg}
	for f.sent < forgeries {
		f.send(batch)
	}
	if s := f.stats(); s.RxPackets != 0 {
		t.Errorf("%d forgeries were taken", s.RxPackets)
	}

	key, err := srtp.NewKey(srtp.AES128SHA80, []byte(keyOf(t, protected(firstKey))), srtp.KeyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var out srtp.Outbound
	if err := out.Rekey(key); err != nil {
		t.Fatal(err)
	}
	caller, _ := udpSocket(t)
	for i := range 2 { // the first of a source proves it
		h := rtpstream.Header{SSRC: 77, Stamp: rtpstream.Stamp{Sequence: uint16(i), Timestamp: uint32(160 * i)}}
		p, err := out.RTP(append(h.Append(make([]byte, 0, 300)), make([]byte, 160)...))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := caller.WriteToUDPAddrPort(p, leg.Local()); err != nil {
			t.Fatal(err)
		}
	}
	for deadline := time.Now().Add(patience); f.stats().RxPackets == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the caller is not heard: %+v", f.stats())
		}
	}
	c.Peer.Send(c.Request("BYE"))
	c.Peer.Expect("SIP/2.0 200")
	if r := b.record(); len(r.Media) != 1 || r.Media[0].Received.Dropped["srtp_tag"] != uint64(f.sent) {
		t.Errorf("%d were sent: %+v", f.sent, r.Media)
	}
	b.empty()
}

// flood sends a leg what has a wrong tag, no faster than the leg refuses it.
type flood struct {
	t    *testing.T
	conn *net.UDPConn
	leg  *media.Leg
	sent int
}

func (f *flood) stats() media.LegStats {
	s, err := f.leg.Stats()
	if err != nil {
		f.t.Fatal(err)
	}
	return s
}

func (f *flood) send(n int) {
	f.t.Helper()
	p := append(rtpstream.Header{}.Append(nil), make([]byte, 170)...)
	for range n {
		h := rtpstream.Header{SSRC: uint32(f.sent % 3000), Stamp: rtpstream.Stamp{Sequence: uint16(f.sent)}}
		h.Put(p)
		if _, err := f.conn.WriteToUDPAddrPort(p, f.leg.Local()); err != nil {
			f.t.Fatal(err)
		}
		f.sent++
	}
	for deadline := time.Now().Add(patience); f.stats().Dropped["srtp_tag"] < uint64(f.sent); time.Sleep(20 * time.Microsecond) {
		if time.Now().After(deadline) {
			f.t.Fatalf("after %d: %+v", f.sent, f.stats())
		}
	}
}

// TestCallsWithoutKeysEnd has nobody come for the handshake, or somebody whose
// certificate is not the one that was signalled: a BYE says why.
func TestCallsWithoutKeysEnd(t *testing.T) {
	for name, other := range map[string]bool{"no handshake": false, "another certificate": true} {
		t.Run(name, func(t *testing.T) {
			ours, theirs, impostor := identity(t), identity(t), identity(t)
			limit := patience
			if !other {
				limit = 200 * time.Millisecond
			}
			service, legs := callersLegs()
			b := newBench(t, Config{SRTP: secure.Policy{
				Mode: secure.Required, Profiles: srtp.Profiles(), Identity: ours, Limit: limit,
			}}, service)
			conn, at := udpSocket(t)
			f := theirs.Fingerprint()
			c := dialRaw(t, b, string(sdp.Offer(sdp.Local{
				Addr: at, Codecs: sdp.DefaultCodecs(), Events: 101, Direction: sdp.SendRecv, SessionID: 1, Version: 1,
				Keying: sdp.Keying{
					Transport: "UDP/TLS/RTP/SAVP",
					DTLS:      sdp.DTLS{Setup: "active", Fingerprints: []sdp.Fingerprint{{Hash: f.Hash, Digest: f.Digest}}},
				},
			})))
			leg := <-legs
			if other {
				shake(t, conn, leg.Local(), srtp.Handshake{
					Identity: impostor, Active: true, Limit: limit, Peer: [4]srtp.Fingerprint{ours.Fingerprint()}, Profiles: [8]srtp.Profile{srtp.AES128SHA80},
				})
			}
			bye := c.Peer.Expect("BYE")
			if why := bye.Get("Reason"); !strings.Contains(why, "SIP;cause=488") {
				t.Errorf("Reason: %s", why)
			}
			c.Peer.Send(siptest.Reply(bye, 200, "OK"))
			if r := b.record(); r.End.Cause != "no-media" || r.End.Error == "" {
				t.Errorf("%+v", r.End)
			} else if strings.Contains(r.End.Error, "fingerprint") != other {
				t.Errorf("it ended with: %s", r.End.Error)
			}
			b.empty()
		})
	}
}

func identity(t *testing.T) *srtp.Identity {
	t.Helper()
	i, err := srtp.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// shake is a far end's side of a handshake, until the test ends.
func shake(t *testing.T, conn *net.UDPConn, to netip.AddrPort, h srtp.Handshake) {
	t.Helper()
	phone := srtptest.NewPhone(conn, func() netip.AddrPort { return to }, nil)
	t.Cleanup(phone.Close)
	if err := phone.Agree(srtp.Agreement{Handshake: h}); err != nil {
		t.Fatal(err)
	}
}
