package bpf

import (
	"bytes"
	"net"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"mcp/bpf/bpftest"
	"mcp/bpf/nic"
)

// A third host sends whatever it likes to the ports of a call, from its own
// address and from that of the caller. Nothing of it comes through, and nothing
// ever comes back to it.
func TestThirdHost(t *testing.T) {
	for _, mode := range []Mode{ModeNative, ModeGeneric} {
		t.Run(string(mode), func(t *testing.T) {
			r := newRig(t, rigOptions{mode: mode, gro: true, static: true})
			a := newAttacker(t, r)
			must(t, r.plane.Receive(func(Event) {}))
			r.openLegs(t)
			must(t, r.serverLeg.Configure(legConfig(r.serverPeer, r.callerLeg)))
			a.spray(t, r, 0) // before the caller's first packet, when no source is known
			caller := newPhone(t, r.caller, r.callerPeer, r.callerLocal)
			server := newPhone(t, r.server, r.serverPeer, r.serverLocal)
			for i := range 50 {
				sent := voice(uint16(i), uint32(i)*frameTicks)
				caller.send(t, sent.Bytes())
				if got := server.receiveRTP(t); string(got.Payload) != string(sent.Payload) {
					t.Fatalf("packet %d: not the caller's", i)
				}
				a.spray(t, r, uint16(i))
				a.forge(t, r, uint16(i+1), uint32(i+1)*frameTicks)
			}
			s := r.stats(t, r.callerLeg)
			if s.RxPackets != 50 || s.Dropped["source"] == 0 || s.Dropped["ssrc"] != 50 {
				t.Errorf("%+v", s)
			}
			if heard := a.heard(t); heard != nil {
				t.Errorf("the third host was sent %x", heard)
			}
		})
	}
}

// attacker is a host behind an interface of its own.
type attacker struct {
	end, near   *bpftest.End
	udp         *net.UDPConn
	raw, listen int
}

func newAttacker(t *testing.T, r *rig) *attacker {
	a := &attacker{
		end:  &bpftest.End{NS: bpftest.NewNetNS(t), Name: "attacker", Addrs: []string{"10.3.0.2/24"}, GRO: true},
		near: &bpftest.End{NS: r.ns, Name: "toattacker", Addrs: []string{"10.3.0.1/24"}},
	}
	bpftest.Connect(t, a.near, a.end)
	must(t, a.end.Neighbor("10.3.0.1", a.near.MAC))
	must(t, a.near.Neighbor("10.3.0.2", a.end.MAC))
	must(t, a.end.NS.Do(func() (err error) {
		for _, dst := range []string{"10.1.0.1/32", "10.2.0.1/32"} {
			_, network, err := net.ParseCIDR(dst)
			if err != nil {
				return err
			}
			if err := netlink.RouteAdd(&netlink.Route{Dst: network, Gw: net.ParseIP("10.3.0.1")}); err != nil {
				return err
			}
		}
		if a.udp, err = net.ListenUDP("udp", nil); err != nil {
			return err
		}
		if a.raw, err = unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW); err != nil {
			return err
		}
		const kind = unix.SOCK_RAW | unix.SOCK_CLOEXEC | unix.SOCK_NONBLOCK
		a.listen, err = unix.Socket(unix.AF_PACKET, kind, int(nic.NetworkOrder(unix.ETH_P_IP)))
		return err
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

// spray sends RTP, RTCP and noise to all ports of both legs.
func (a *attacker) spray(t *testing.T, r *rig, seq uint16) {
	t.Helper()
	for _, local := range []string{r.callerLocal.Addr().String(), r.serverLocal.Addr().String()} {
		for port := uint16(20000); port < 20004; port++ {
			if (local == "10.1.0.1") != (port < 20002) {
				continue // no leg is there: the stack answers that no port is
			}
			to := net.UDPAddrFromAddrPort(addrPort(local, port))
			for _, p := range [][]byte{voice(seq, 0).Bytes(), {0x81, 203, 0, 1, 0, 0, 0, 1}, {0, 1, 2}} {
				_, err := a.udp.WriteToUDP(p, to)
				must(t, err)
			}
		}
	}
}

// forge sends RTP in the caller's name, as another source.
func (a *attacker) forge(t *testing.T, r *rig, seq uint16, ts uint32) {
	t.Helper()
	rtp := voice(seq, ts)
	rtp.SSRC = 0xbad
	frame := bpftest.Frame{Src: r.callerPeer, Dst: r.callerLocal, TTL: 64, Payload: rtp.Bytes()}.Bytes()
	must(t, unix.Sendto(a.raw, frame[14:], 0, &unix.SockaddrInet4{Addr: r.callerLocal.Addr().As4()}))
}

// heard is what the attacker's interface took in of IPv4, if anything.
func (a *attacker) heard(t *testing.T) []byte {
	t.Helper()
	b := make([]byte, 2000)
	n, _, err := unix.Recvfrom(a.listen, b, 0)
	if err == unix.EAGAIN {
		return nil
	}
	must(t, err)
	return b[:n]
}

func (r *rig) changeLink(t *testing.T, e *bpftest.End, change func(netlink.Link) error) {
	t.Helper()
	must(t, e.NS.Do(func() error {
		l, err := netlink.LinkByName(e.Name)
		if err != nil {
			return err
		}
		return change(l)
	}))
}

// The interface to the far end goes down and up again in mid-call.
func TestInterfaceGoesDownAndUp(t *testing.T) {
	r := newRig(t, rigOptions{mode: ModeNative, gro: true})
	must(t, r.plane.Receive(func(Event) {}))
	r.openLegs(t)
	caller := newPhone(t, r.caller, r.callerPeer, r.callerLocal)
	server := newPhone(t, r.server, r.serverPeer, r.serverLocal)
	r.talk(t, caller, server, 10)
	r.changeLink(t, r.toServer, netlink.LinkSetDown)
	for i := range uint16(10) {
		caller.send(t, voice(10+i, uint32(10+i)*frameTicks).Bytes())
	}
	r.changeLink(t, r.toServer, netlink.LinkSetUp)
	r.talkUntil(t, caller, server)
}

// The far end moves to another machine: its neighbour entry changes.
func TestNeighborChanges(t *testing.T) {
	r := newRig(t, rigOptions{mode: ModeNative, gro: true, static: true})
	must(t, r.plane.Receive(func(Event) {}))
	r.openLegs(t)
	caller := newPhone(t, r.caller, r.callerPeer, r.callerLocal)
	server := newPhone(t, r.server, r.serverPeer, r.serverLocal)
	r.talk(t, caller, server, 10)
	moved := bytes.Clone(r.serverEnd.MAC)
	moved[5] ^= 0xff
	r.changeLink(t, r.serverEnd, func(l netlink.Link) error { return netlink.LinkSetHardwareAddr(l, moved) })
	must(t, r.toServer.Neighbor(r.serverPeer.Addr().String(), moved))
	r.talkUntil(t, caller, server)
}

// What no longer fits the MTU is refused by the stack, and counted; what fits flows on.
func TestSmallerMTU(t *testing.T) {
	r := newRig(t, rigOptions{mode: ModeNative, gro: true, static: true})
	must(t, r.plane.Receive(func(Event) {}))
	r.openLegs(t)
	caller := newPhone(t, r.caller, r.callerPeer, r.callerLocal)
	server := newPhone(t, r.server, r.serverPeer, r.serverLocal)
	long := voice(0, 0)
	long.Payload = make([]byte, 1000)
	caller.send(t, long.Bytes())
	server.receive(t)
	r.changeLink(t, r.toServer, func(l netlink.Link) error { return netlink.LinkSetMTU(l, 600) })
	must(t, r.serverLeg.Configure(legConfig(r.serverPeer, nil))) // asks for the way anew
	long.Seq++
	caller.send(t, long.Bytes())
	for deadline := time.Now().Add(patience); r.plane.Unsent() == 0; {
		if time.Now().After(deadline) {
			t.Fatal("the packet that is too long was not counted")
		}
	}
	short := voice(2, 2*frameTicks)
	caller.send(t, short.Bytes())
	if got := server.receiveRTP(t); string(got.Payload) != string(short.Payload) {
		t.Error("what still fits did not come")
	}
}

// The far end's packets come by one interface while the route to it leads by another.
func TestAsymmetricRoutes(t *testing.T) {
	r := newRig(t, rigOptions{mode: ModeNative, gro: true, static: true})
	must(t, r.plane.Receive(func(Event) {}))
	const far = "192.0.2.9"
	must(t, r.route(far, "10.2.0.2"))
	for _, e := range []*bpftest.End{r.callerEnd, r.serverEnd} {
		r.changeLink(t, e, func(l netlink.Link) error {
			addr, err := netlink.ParseAddr(far + "/32")
			if err != nil {
				return err
			}
			return netlink.AddrAdd(l, addr)
		})
	}
	r.callerPeer = addrPort(far, 4000)
	r.openLegs(t)
	speaks := newPhone(t, r.caller, r.callerPeer, r.callerLocal)
	hears := newPhone(t, r.server, r.callerPeer, r.callerLocal)
	server := newPhone(t, r.server, r.serverPeer, r.serverLocal)
	r.talk(t, speaks, server, 10)
	r.talk(t, server, hears, 10)
}
