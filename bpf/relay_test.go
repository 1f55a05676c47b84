package bpf

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"mcp/bpf/bpftest"
	"mcp/bpf/nic"
)

const patience = 20 * time.Second

// phone is a UDP socket of a far end.
type phone struct {
	conn *net.UDPConn
	peer netip.AddrPort
}

func newPhone(t testing.TB, ns *bpftest.NetNS, local, peer netip.AddrPort) *phone {
	t.Helper()
	p := &phone{peer: peer}
	must(t, ns.Do(func() (err error) {
		p.conn, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(local))
		return err
	}))
	t.Cleanup(func() { p.conn.Close() })
	return p
}

func (p *phone) send(t testing.TB, packet []byte) {
	t.Helper()
	_, err := p.conn.WriteToUDPAddrPort(packet, p.peer)
	must(t, err)
}

func (p *phone) receive(t testing.TB) []byte {
	t.Helper()
	b := make([]byte, 2000)
	must(t, p.conn.SetReadDeadline(time.Now().Add(patience)))
	n, from, err := p.conn.ReadFromUDPAddrPort(b)
	must(t, err)
	if from.Port() != p.peer.Port() || from.Addr().Unmap() != p.peer.Addr() {
		t.Fatalf("packet came from %s, want %s", from, p.peer)
	}
	return b[:n]
}

func (p *phone) receiveRTP(t testing.TB) bpftest.RTP {
	t.Helper()
	rtp, err := bpftest.ParseRTP(p.receive(t))
	must(t, err)
	return rtp
}

// expect sends voice at one phone and checks what comes out at the other.
func (r *rig) talk(t testing.TB, from, to *phone, packets int) {
	t.Helper()
	var last bpftest.RTP
	for i := range packets {
		sent := voice(uint16(i), uint32(i)*frameTicks)
		from.send(t, sent.Bytes())
		got := to.receiveRTP(t)
		if string(got.Payload) != string(sent.Payload) {
			t.Fatalf("packet %d has another payload", i)
		}
		if i > 0 && (got.Seq != last.Seq+1 || got.TS != last.TS+frameTicks || got.SSRC != last.SSRC || got.Marker) {
			t.Fatalf("after %d/%d came %d/%d", last.Seq, last.TS, got.Seq, got.TS)
		}
		last = got
	}
}

// Real sockets on both sides, checksums left to offload as veth does.
func TestRelayBetweenSockets(t *testing.T) {
	const packets = 200
	for _, o := range []rigOptions{
		{mode: ModeAuto, gro: true},
		{mode: ModeAuto, gro: true, ipv6: true},
		{mode: ModeGeneric},
		{mode: ModeGeneric, ipv6: true},
	} {
		t.Run(fmt.Sprintf("%s,ipv6=%t", o.mode, o.ipv6), func(t *testing.T) {
			r := newRig(t, o)
			want := ModeGeneric
			if o.gro {
				want = ModeNative
			}
			if r.plane.Mode() != want {
				t.Fatalf("mode is %s: %s", r.plane.Mode(), r.plane.Reason())
			}
			must(t, r.plane.Receive(func(Event) {}))
			r.openLegs(t)
			caller := newPhone(t, r.caller, r.callerPeer, r.callerLocal)
			server := newPhone(t, r.server, r.serverPeer, r.serverLocal)
			r.talk(t, caller, server, packets)
			r.talk(t, server, caller, packets)
			for _, l := range []*Leg{r.callerLeg, r.serverLeg} {
				s := r.stats(t, l)
				if s.RxPackets != packets || s.RxLost != 0 || s.RxRelayed+s.RxHanded != packets || s.TxPackets != packets {
					t.Errorf("leg %s: %+v", l.Local(), s)
				}
				// Only until the neighbour is known does userspace help.
				if s.RxRelayed < packets*9/10 {
					t.Errorf("leg %s: only %d relayed in the kernel", l.Local(), s.RxRelayed)
				}
			}
		})
	}
}

// A veth whose other end has no GRO loses frames silently in native mode.
func TestProbeChoosesGeneric(t *testing.T) {
	r := newRig(t, rigOptions{mode: ModeAuto})
	if r.plane.Mode() != ModeGeneric {
		t.Errorf("mode is %s: %s", r.plane.Mode(), r.plane.Reason())
	}
	interfaces, err := r.plane.Interfaces()
	must(t, err)
	if len(interfaces) != 3 {
		t.Fatalf("attached to %+v", interfaces)
	}
	for _, i := range interfaces {
		if i.Mode != ModeGeneric || i.Reason == "" {
			t.Errorf("%+v", i)
		}
	}
}

// The far end's next hop changes while packets flow; they follow at once.
func TestNextHopChanges(t *testing.T) {
	for _, o := range []rigOptions{{mode: ModeAuto, gro: true, static: true}, {mode: ModeGeneric, static: true}} {
		t.Run(string(o.mode), func(t *testing.T) {
			r := newRig(t, o)
			must(t, r.plane.Receive(func(Event) {}))
			// Two gateways to the far end's network: one on each side.
			far := "192.0.2.9"
			must(t, r.route(far, "10.2.0.2"))
			for _, e := range []*bpftest.End{r.serverEnd, r.callerEnd} {
				must(t, e.NS.Do(func() error {
					l, err := netlink.LinkByName(e.Name)
					if err != nil {
						return err
					}
					addr, err := netlink.ParseAddr(far + "/32")
					if err != nil {
						return err
					}
					return netlink.AddrAdd(l, addr)
				}))
			}
			r.serverPeer = addrPort(far, 5000)
			r.openLegs(t)
			caller := newPhone(t, r.caller, r.callerPeer, r.callerLocal)
			before := newPhone(t, r.server, r.serverPeer, r.serverLocal)
			after := newPhone(t, r.caller, r.serverPeer, r.serverLocal)
			r.talk(t, caller, before, 20)
			must(t, r.route(far, "10.1.0.2"))
			r.talkUntil(t, caller, after)
			if s := r.stats(t, r.callerLeg); s.RxRelayed != s.RxPackets || s.RxPackets < 21 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// talkUntil sends voice, a packet each 20 ms, until one comes out.
func (r *rig) talkUntil(t testing.TB, from, to *phone) {
	t.Helper()
	b := make([]byte, 2000)
	start := time.Now()
	for i := 20; time.Since(start) < patience; i++ {
		from.send(t, voice(uint16(i), uint32(i)*frameTicks).Bytes())
		must(t, to.conn.SetReadDeadline(time.Now().Add(20*time.Millisecond)))
		if _, _, err := to.conn.ReadFromUDPAddrPort(b); err == nil {
			return
		}
	}
	t.Fatal("nothing came out")
}

func (r *rig) route(to, via string) error {
	return r.ns.Do(func() error {
		return netlink.RouteReplace(&netlink.Route{
			Dst: &net.IPNet{IP: net.ParseIP(to), Mask: net.CIDRMask(32, 32)},
			Gw:  net.ParseIP(via),
		})
	})
}

// A neighbour that is not known yet is found by the kernel: the first packet
// takes the way through userspace, and arrives.
func TestUnknownNeighbor(t *testing.T) {
	r := newRig(t, rigOptions{mode: ModeAuto, gro: true})
	must(t, r.plane.Receive(func(Event) {}))
	r.openLegs(t)
	caller := newPhone(t, r.caller, r.callerPeer, r.callerLocal)
	server := newPhone(t, r.server, r.serverPeer, r.serverLocal)
	r.talk(t, caller, server, 1)
	if s := r.stats(t, r.callerLeg); s.RxHanded != 1 || s.RxRelayed != 0 {
		t.Errorf("%+v", s)
	}
}

// An entry that only the relay reads would stay stale for ever.
func TestStaleNeighborsAreProbed(t *testing.T) {
	r := newRig(t, rigOptions{mode: ModeGeneric})
	stale := &netlink.Neigh{
		LinkIndex: r.toServer.Index, State: netlink.NUD_STALE, IP: net.ParseIP("10.2.0.2"), HardwareAddr: r.serverEnd.MAC,
	}
	must(t, r.ns.Do(func() error { return netlink.NeighSet(stale) }))
	r.plane.refresh()
	entries, err := r.plane.watch.handle.NeighList(r.toServer.Index, netlink.FAMILY_V4)
	must(t, err)
	if len(entries) != 1 || entries[0].State&(netlink.NUD_DELAY|netlink.NUD_PROBE|netlink.NUD_REACHABLE) == 0 {
		t.Errorf("%+v", entries)
	}
}

// Everything on one host: loopback only, nothing to redirect to.
func TestLoopback(t *testing.T) {
	for _, addr := range []string{"127.0.0.1", "::1"} {
		t.Run(addr, func(t *testing.T) {
			r := &rig{ns: bpftest.NewNetNS(t), dir: bpftest.BPFFS(t) + "/plane"}
			r.load(t, Config{Dir: r.dir})
			r.callerLocal, r.callerPeer = addrPort(addr, 20000), addrPort(addr, 4000)
			r.serverLocal, r.serverPeer = addrPort(addr, 20002), addrPort(addr, 5000)
			must(t, r.plane.Receive(func(Event) {}))
			r.openLegs(t)
			caller := newPhone(t, r.ns, r.callerPeer, r.callerLocal)
			server := newPhone(t, r.ns, r.serverPeer, r.serverLocal)
			r.talk(t, caller, server, 50)
			must(t, r.serverLeg.Send(Packet{PayloadType: audioType, Ticks: frameTicks, Data: []byte("prompt")}))
			if got := server.receiveRTP(t); string(got.Payload) != "prompt" || !got.Marker {
				t.Errorf("%+v", got)
			}
			r.sendsRTCP(t, server)
		})
	}
}

func (r *rig) sendsRTCP(t *testing.T, server *phone) {
	t.Helper()
	local := netip.AddrPortFrom(r.serverLocal.Addr(), r.serverLocal.Port()+1)
	peer := netip.AddrPortFrom(r.serverPeer.Addr(), r.serverPeer.Port()+1)
	rtcp := newPhone(t, r.ns, peer, local)
	packet := []byte{0x80, 201, 0, 1, 1, 2, 3, 4}
	must(t, r.serverLeg.SendRTCP(packet))
	if got := rtcp.receive(t); string(got) != string(packet) {
		t.Errorf("RTCP arrived as %x", got)
	}
}

// The two sides differ in IP version; the kernel relays all the same.
func TestRelayBetweenFamilies(t *testing.T) {
	for _, mode := range []Mode{ModeNative, ModeGeneric} {
		t.Run(string(mode), func(t *testing.T) {
			r := newRig(t, rigOptions{mode: mode, gro: true, mixed: true})
			must(t, r.plane.Receive(func(Event) {}))
			r.openLegs(t)
			caller := newPhone(t, r.caller, r.callerPeer, r.callerLocal)
			server := newPhone(t, r.server, r.serverPeer, r.serverLocal)
			r.talk(t, caller, server, 20)
			r.talk(t, server, caller, 20)
			from, back := r.stats(t, r.callerLeg), r.stats(t, r.serverLeg)
			if from.RxRelayed < 18 || back.RxRelayed < 18 || from.TxPackets != 20 || back.TxPackets != 20 {
				t.Errorf("%+v\n%+v", from, back)
			}
		})
	}
}

// Where the route leads to a VLAN the frame leaves tagged by the interface below.
// The VLAN is one in the map only, so that the test needs no kernel with 802.1Q.
func TestRelayIntoVLAN(t *testing.T) {
	for _, mixed := range []bool{false, true} {
		r := newRig(t, rigOptions{mode: ModeGeneric, static: true, mixed: mixed})
		r.openLegs(t)
		r.run(t, r.fromCaller(voice(1, 1)).Bytes())
		const id = 7
		entry := relayVlan{Ifindex: uint32(r.toServer.Index), Proto: nic.NetworkOrder(0x8100), Tci: nic.NetworkOrder(id)}
		must(t, r.plane.objects.Vlans.Put(uint32(r.toServer.Index), &entry))
		must(t, r.serverLeg.Configure(legConfig(r.serverPeer, r.callerLeg))) // which asks for the route anew
		for _, tags := range [][]uint16{nil, {9}, {9, 10}} {
			frame := r.fromCaller(voice(uint16(2+len(tags)), uint32(2+len(tags))*frameTicks))
			frame.VLANs = tags
			action, out := r.run(t, frame.Bytes())
			if action != xdpRedirect {
				t.Fatalf("%d tags: action is %d", len(tags), action)
			}
			if got := out[12:16]; string(got) != string([]byte{0x81, 0, 0, id}) {
				t.Errorf("tag is %x", got)
			}
			r.checkRelayed(t, frame, out)
		}
	}
}

// A caller on IPv4 and a server on IPv6, where the kernel cannot send by itself.
func TestRelayBetweenFamiliesOnLoopback(t *testing.T) {
	r := &rig{ns: bpftest.NewNetNS(t), dir: bpftest.BPFFS(t) + "/plane"}
	r.load(t, Config{Dir: r.dir})
	r.callerLocal, r.callerPeer = addrPort("127.0.0.1", 20000), addrPort("127.0.0.1", 4000)
	r.serverLocal, r.serverPeer = addrPort("::1", 20002), addrPort("::1", 5000)
	must(t, r.plane.Receive(func(Event) {}))
	r.openLegs(t)
	caller := newPhone(t, r.ns, r.callerPeer, r.callerLocal)
	server := newPhone(t, r.ns, r.serverPeer, r.serverLocal)
	r.talk(t, caller, server, 20)
	r.talk(t, server, caller, 20)
	if s := r.stats(t, r.callerLeg); s.RxHanded != 20 || s.TxPackets != 20 {
		t.Errorf("%+v", s)
	}
}

// What reaches userspace: events and RTCP always, audio when it is copied.
func TestEvents(t *testing.T) {
	r := newRig(t, rigOptions{mode: ModeAuto, gro: true, static: true})
	events := make(chan Event, 100)
	must(t, r.plane.Receive(func(e Event) {
		e.Data = append([]byte{}, e.Data...)
		events <- e
	}))
	r.openLegs(t)
	config := legConfig(r.callerPeer, r.serverLeg)
	config.Copy = true
	must(t, r.callerLeg.Configure(config))
	caller := newPhone(t, r.caller, r.callerPeer, r.callerLocal)
	server := newPhone(t, r.server, r.serverPeer, r.serverLocal)
	digit := bpftest.RTP{Type: eventType, Seq: 1, SSRC: 0xca11e4, Payload: []byte{5, 0, 0, 160}}
	long := voice(3, 2*frameTicks)
	long.Payload = append(long.Payload, make([]byte, 500)...)
	packets := [][]byte{voice(0, 0).Bytes(), digit.Bytes(), voice(2, frameTicks).Bytes(), long.Bytes()}
	for _, p := range packets {
		caller.send(t, p)
	}
	for i, p := range packets {
		e := receiveEvent(t, events)
		if e.RTCP || e.LegID != r.callerLeg.ID() || string(e.Data) != string(p) {
			t.Errorf("event %d: %+v", i, e)
		}
		if age := time.Since(e.At); age < 0 || age > patience {
			t.Errorf("event %d arrived %s ago", i, age)
		}
	}
	for range 3 {
		server.receiveRTP(t)
	}
	rtcp := newPhone(t, r.caller, addrPort("10.1.0.2", 4001), addrPort("10.1.0.1", 20001))
	rtcp.send(t, []byte{0x80, 201, 0, 1, 1, 2, 3, 4})
	if e := receiveEvent(t, events); !e.RTCP || len(e.Data) != 8 {
		t.Errorf("%+v", e)
	}
	s := r.stats(t, r.callerLeg)
	if s.RxPackets != 4 || s.RxUser != 4 || s.RxRelayed != 3 || s.RTCP != 1 || s.RxLost != 0 {
		t.Errorf("%+v", s)
	}
}

func receiveEvent(t *testing.T, events <-chan Event) Event {
	t.Helper()
	select {
	case e := <-events:
		return e
	case <-time.After(patience):
		t.Fatal("no event")
		return Event{}
	}
}

// Userspace that does not keep up loses packets, and they are counted: of key presses
// those that are more than fit at 64 bytes each, of copied audio all when there is no
// room. What is relayed besides is not lost.
func TestOverrun(t *testing.T) {
	r := newRig(t, rigOptions{mode: ModeGeneric, static: true})
	must(t, r.plane.Close())
	must(t, Unload(r.dir))
	must(t, r.ns.Do(func() (err error) {
		r.plane, err = Load(Config{Dir: r.dir, Mode: ModeGeneric, EventBytes: uint32(os.Getpagesize())})
		return err
	}))
	r.openLegs(t)
	const sent = 200
	for i := range sent {
		digit := bpftest.RTP{Type: eventType, Seq: uint16(i), TS: uint32(i), SSRC: voice(0, 0).SSRC, Payload: make([]byte, 4)}
		r.run(t, r.fromCaller(digit).Bytes())
	}
	s := r.stats(t, r.callerLeg)
	if fit := uint64(os.Getpagesize()) / 64; s.RxUser < fit-1 || s.RxUser > fit || s.Dropped["overrun"]+s.RxUser != sent {
		t.Errorf("%+v", s)
	}
	config := legConfig(r.callerPeer, r.serverLeg)
	config.Copy = true
	must(t, r.callerLeg.Configure(config))
	for i := range sent {
		r.run(t, r.fromCaller(voice(uint16(sent+i), uint32(i)*frameTicks)).Bytes())
	}
	after := r.stats(t, r.callerLeg)
	if after.RxRelayed != sent || after.RxUser != s.RxUser || after.Dropped["overrun"] != s.Dropped["overrun"]+sent {
		t.Errorf("%+v", after)
	}
}

func TestClosedLegReceivesNothing(t *testing.T) {
	r := newRig(t, rigOptions{mode: ModeGeneric, static: true})
	r.openLegs(t)
	id := r.serverLeg.ID()
	_, err := r.serverLeg.Close()
	must(t, err)
	// Another call takes the port; the stale route must not reach it.
	other := r.openLeg(t, r.serverLocal, 0x33333333)
	must(t, other.Configure(legConfig(r.serverPeer, nil)))
	if other.ID() == id {
		t.Fatal("an identity was used twice")
	}
	if action, _ := r.run(t, r.fromCaller(voice(1, 1)).Bytes()); action != xdpDrop {
		t.Errorf("action is %d", action)
	}
	if s := r.stats(t, r.callerLeg); s.Dropped["no_leg"] != 1 {
		t.Errorf("%+v", s)
	}
	if s := r.stats(t, other); s.TxPackets != 0 {
		t.Errorf("%+v", s)
	}
	wantError(t, r.serverLeg.Send(Packet{}), ErrClosed)
	muted := r.openLeg(t, addrPort("10.2.0.1", 20004), 1)
	var dropped *DropError
	if err := muted.Send(Packet{}); !errors.As(err, &dropped) || dropped.Reason != "muted" {
		t.Errorf("a muted leg sends: %v", err)
	}
}
