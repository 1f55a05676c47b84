package bpf

import (
	"encoding/binary"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"mcp/bpf/bpftest"
	"mcp/bpf/nic"
)

const (
	attackerSSRC = 0xbad
	said         = 50 // packets of the caller
)

// A third host sends whatever it likes to the ports of a call, from its own
// address and in the caller's name, before the call's first packet and through
// all of it. Nothing of that is relayed, copied to who records, mixes or listens
// for digits, or learned from, and nothing is ever sent back.
func TestThirdHost(t *testing.T) {
	for _, row := range []struct {
		name   string
		mode   Mode
		ipv6   bool
		window time.Duration // in which the caller's true address may be learned
	}{
		{name: "native", mode: ModeNative},
		{name: "generic", mode: ModeGeneric},
		{name: "native, latching", mode: ModeNative, window: time.Hour},
		{name: "native, IPv6", mode: ModeNative, ipv6: true},
		{name: "generic, IPv6, latching", mode: ModeGeneric, ipv6: true, window: time.Hour},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := newRig(t, rigOptions{mode: row.mode, gro: true, static: true, ipv6: row.ipv6})
			a := newAttacker(t, r)
			var got audience
			must(t, r.plane.Receive(got.hear))
			r.openLegs(t)
			c := legConfig(r.callerPeer, r.serverLeg)
			c.Copy, c.Far.Latch = true, row.window
			must(t, r.callerLeg.Configure(c))
			a.sweep(t, r)
			r.endure(t, a, row.window > 0)
			s := r.awaitRefusals(t, 2*said)
			if got.await(t, said+1); s.RxPackets != said+1 || s.Dropped["source"] == 0 {
				t.Errorf("%+v", s)
			}
			if far, err := r.callerLeg.Far(); err != nil || far != r.callerPeer {
				t.Errorf("the far end is %s, %v", far, err)
			}
			if heard := a.heard(t, r); heard != nil {
				t.Errorf("the third host was sent %x", heard)
			}
		})
	}
}

// endure has the caller say something and press a key while it is attacked.
func (r *rig) endure(t *testing.T, a *attacker, latching bool) {
	t.Helper()
	caller := newPhone(t, r.caller, r.callerPeer, r.callerLocal)
	server := newPhone(t, r.server, r.serverPeer, r.serverLocal)
	server.send(t, voice(0, 0).Bytes()) // to nobody, while the caller's address is not known
	if latching {
		caller.send(t, voice(0, 0).Bytes()) // on probation
	}
	for i := range uint16(said) {
		sent := voice(i+1, uint32(i+1)*frameTicks)
		caller.send(t, sent.Bytes())
		if got := server.receiveRTP(t); string(got.Payload) != string(sent.Payload) {
			t.Fatalf("packet %d: not the caller's", i)
		}
		a.spray(t, r.callerLocal, i)
		a.spray(t, r.serverLocal, i)
		a.forge(t, r, i+2, uint32(i+2)*frameTicks)
	}
	caller.send(t, digit(said+1, voice(0, 0).SSRC))
}

// awaitRefusals waits until so many packets in the caller's name were refused as
// another source: while the caller is heard, and on a machine that pauses while the
// caller is not, because they are not in sequence.
func (r *rig) awaitRefusals(t *testing.T, packets uint64) LegStats {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		s := r.stats(t, r.callerLeg)
		if s.Dropped["ssrc"]+s.Dropped["probation"] >= packets && s.RxPackets > said {
			return s
		}
		if time.Now().After(deadline) {
			t.Fatalf("not all were refused: %+v", s)
		}
	}
}

// digit is a packet of a pressed key, RFC 4733.
func digit(seq uint16, ssrc uint32) []byte {
	return bpftest.RTP{Type: eventType, Marker: true, Seq: seq, SSRC: ssrc, Payload: []byte{5, 0, 0, 160}}.Bytes()
}

// audience is who gets the copies, of the caller's packets and of the attacker's.
type audience struct{ callers, attackers atomic.Int32 }

func (a *audience) hear(e Event) {
	at := 8 // of the SSRC
	if e.RTCP {
		at = 4
	}
	if binary.BigEndian.Uint32(e.Data[at:]) == attackerSSRC {
		a.attackers.Add(1)
	} else {
		a.callers.Add(1)
	}
}

// await waits for the caller's packets, and looks whether others came with them.
func (a *audience) await(t *testing.T, packets int32) {
	t.Helper()
	for deadline := time.Now().Add(patience); a.callers.Load() < packets; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d packets were copied", a.callers.Load(), packets)
		}
	}
	if n := a.attackers.Load(); n != 0 {
		t.Errorf("%d packets of the third host were copied", n)
	}
}

// attacker is a host behind an interface of its own.
type attacker struct {
	end, near   *bpftest.End
	udp         *net.UDPConn
	raw, listen int
	ipv6        bool
}

func newAttacker(t *testing.T, r *rig) *attacker {
	a := &attacker{ipv6: r.callerLocal.Addr().Is6()}
	mine, gateway, bits := "10.3.0.2", "10.3.0.1", "/24"
	if a.ipv6 {
		mine, gateway, bits = "fd03::2", "fd03::1", "/64"
	}
	a.end = &bpftest.End{NS: bpftest.NewNetNS(t), Name: "attacker", Addrs: []string{mine + bits}, GRO: true}
	a.near = &bpftest.End{NS: r.ns, Name: "toattacker", Addrs: []string{gateway + bits}}
	bpftest.Connect(t, a.near, a.end)
	must(t, a.end.Neighbor(gateway, a.near.MAC))
	must(t, a.near.Neighbor(mine, a.end.MAC))
	must(t, a.end.NS.Do(func() error {
		for _, leg := range []netip.AddrPort{r.callerLocal, r.serverLocal} {
			host := &net.IPNet{IP: leg.Addr().AsSlice(), Mask: net.CIDRMask(leg.Addr().BitLen(), leg.Addr().BitLen())}
			if err := netlink.RouteAdd(&netlink.Route{Dst: host, Gw: net.ParseIP(gateway)}); err != nil {
				return err
			}
		}
		return a.open()
	}))
	t.Cleanup(func() {
		a.udp.Close()
		unix.Close(a.raw)
		unix.Close(a.listen)
	})
	// The plane was loaded before this interface was there.
	must(t, r.plane.Close())
	must(t, Unload(r.dir))
	must(t, r.ns.Do(func() (err error) {
		r.plane, err = Load(Config{Dir: r.dir, Mode: r.plane.Mode()})
		return err
	}))
	return a
}

// open opens sockets to send as itself, to send as anybody, and to see what comes.
func (a *attacker) open() (err error) {
	if a.udp, err = net.ListenUDP("udp", nil); err != nil {
		return err
	}
	family, kind := unix.AF_INET, uint16(unix.ETH_P_IP)
	if a.ipv6 {
		family, kind = unix.AF_INET6, unix.ETH_P_IPV6
	}
	if a.raw, err = unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW); err != nil {
		return err
	}
	a.listen, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, int(nic.NetworkOrder(kind)))
	return err
}

// sweep sends a voice packet to each port that a call may have.
func (a *attacker) sweep(t *testing.T, r *rig) {
	t.Helper()
	p := voice(0, 0)
	p.SSRC = attackerSSRC
	for port := uint16(20000); port <= 45000; port++ {
		a.send(t, netip.AddrPortFrom(r.callerLocal.Addr(), port), p.Bytes())
	}
}

// spray sends RTP, a digit, a BYE of RTCP and noise to both ports of a leg.
func (a *attacker) spray(t *testing.T, leg netip.AddrPort, seq uint16) {
	t.Helper()
	v := voice(seq, 0)
	v.SSRC = attackerSSRC
	bye := []byte{0x81, 203, 0, 1, 0, 0, 0x0b, 0xad}
	for port := leg.Port(); port < leg.Port()+2; port++ {
		for _, p := range [][]byte{v.Bytes(), digit(seq, attackerSSRC), bye, {0, 1, 2}} {
			a.send(t, netip.AddrPortFrom(leg.Addr(), port), p)
		}
	}
}

func (a *attacker) send(t *testing.T, to netip.AddrPort, payload []byte) {
	t.Helper()
	_, err := a.udp.WriteToUDPAddrPort(payload, to)
	must(t, err)
}

// forge sends RTP and a digit in the caller's name, as another source. No two of
// its packets are in sequence.
func (a *attacker) forge(t *testing.T, r *rig, seq uint16, ts uint32) {
	t.Helper()
	v := voice(seq, ts)
	v.SSRC = attackerSSRC
	for _, p := range [][]byte{v.Bytes(), digit(seq+1000, attackerSSRC)} {
		frame := bpftest.Frame{Src: r.callerPeer, Dst: r.callerLocal, TTL: 64, Payload: p}.Bytes()
		var to unix.Sockaddr = &unix.SockaddrInet6{Addr: r.callerLocal.Addr().As16()}
		if !a.ipv6 {
			to = &unix.SockaddrInet4{Addr: r.callerLocal.Addr().As4()}
		}
		must(t, unix.Sendto(a.raw, frame[14:], 0, to))
	}
}

// heard is what the attacker's interface took in on account of the call, if anything:
// UDP, or word of the stack that nobody is at a leg's port (ICMP), which it has for
// other ports.
func (a *attacker) heard(t *testing.T, r *rig) []byte {
	t.Helper()
	protocol, icmp, header := 9, byte(unix.IPPROTO_ICMP), 20
	if a.ipv6 {
		protocol, icmp, header = 6, unix.IPPROTO_ICMPV6, 40
	}
	for {
		b := make([]byte, 2000)
		n, _, err := unix.Recvfrom(a.listen, b, 0)
		if err == unix.EAGAIN {
			return nil
		}
		must(t, err)
		ip := b[14:n]
		quoted := ip[min(header+8, len(ip)):] // the packet that an error is about
		switch {
		case ip[protocol] == unix.IPPROTO_UDP, ip[protocol] == icmp && isForLeg(r, quoted, header):
			return ip
		}
	}
}

// isForLeg tells whether a UDP packet, whose IP header is so long, is for one of a
// call's ports.
func isForLeg(r *rig, ip []byte, header int) bool {
	if len(ip) < header+4 {
		return false
	}
	to := r.callerLocal.Addr().AsSlice()
	addr, _ := netip.AddrFromSlice(ip[header-len(to) : header])
	port := binary.BigEndian.Uint16(ip[header+2:]) &^ 1
	return netip.AddrPortFrom(addr, port) == r.callerLocal || netip.AddrPortFrom(addr, port) == r.serverLocal
}
