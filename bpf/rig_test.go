package bpf

import (
	"net/netip"
	"testing"

	"github.com/cilium/ebpf"

	"mcp/bpf/bpftest"
	"mcp/bpf/testrun"
)

// The rig: a caller and a speech server, each in a namespace behind its own
// veth pair, and the plane between them.
//
//	caller 10.1.0.2 ---- 10.1.0.1 plane 10.2.0.1 ---- 10.2.0.2 server
type rig struct {
	caller, server           *bpftest.NetNS // far ends
	ns                       *bpftest.NetNS // the plane's
	toCaller, toServer       *bpftest.End   // the plane's ends
	callerEnd, serverEnd     *bpftest.End
	plane                    *Plane
	dir                      string
	callerLeg, serverLeg     *Leg
	callerLocal, serverLocal netip.AddrPort
	callerPeer, serverPeer   netip.AddrPort
}

type rigOptions struct {
	mode   Mode
	gro    bool
	ipv6   bool
	static bool // neighbours are known for good
	mixed  bool // the server's side is IPv6, the caller's IPv4
	summed bool // far ends fill in their checksums
}

const (
	callerSSRC, serverSSRC = 0x11111111, 0x22222222 // of the legs' outgoing streams
	audioType, eventType   = 0, 101
	frameTicks             = 160
)

func newRig(t testing.TB, o rigOptions) *rig {
	t.Helper()
	r := newWires(t, o)
	r.load(t, Config{Dir: r.dir, Mode: o.mode})
	return r
}

// newWires is a rig with no plane in it.
func newWires(t testing.TB, o rigOptions) *rig {
	t.Helper()
	r := &rig{caller: bpftest.NewNetNS(t), ns: bpftest.NewNetNS(t), server: bpftest.NewNetNS(t)}
	a := []string{"10.1.0.1", "10.1.0.2", "10.2.0.1", "10.2.0.2"}
	bits := []string{"/24", "/24", "/24", "/24"}
	if o.ipv6 {
		a = []string{"fd01::1", "fd01::2", "fd02::1", "fd02::2"}
		bits = []string{"/64", "/64", "/64", "/64"}
	}
	if o.mixed {
		a[2], a[3], bits[2], bits[3] = "fd02::1", "fd02::2", "/64", "/64"
	}
	r.toCaller = &bpftest.End{NS: r.ns, Name: "tocaller", Addrs: []string{a[0] + bits[0]}}
	r.callerEnd = &bpftest.End{NS: r.caller, Name: "caller", Addrs: []string{a[1] + bits[1]}, GRO: o.gro, NoOffload: o.summed}
	r.toServer = &bpftest.End{NS: r.ns, Name: "toserver", Addrs: []string{a[2] + bits[2]}}
	r.serverEnd = &bpftest.End{NS: r.server, Name: "server", Addrs: []string{a[3] + bits[3]}, GRO: o.gro, NoOffload: o.summed}
	bpftest.Connect(t, r.toCaller, r.callerEnd)
	bpftest.Connect(t, r.toServer, r.serverEnd)
	if o.static {
		must(t, r.toCaller.Neighbor(a[1], r.callerEnd.MAC))
		must(t, r.toServer.Neighbor(a[3], r.serverEnd.MAC))
	}
	r.callerLocal, r.callerPeer = addrPort(a[0], 20000), addrPort(a[1], 4000)
	r.serverLocal, r.serverPeer = addrPort(a[2], 20002), addrPort(a[3], 5000)
	r.dir = bpftest.BPFFS(t) + "/plane"
	return r
}

func (r *rig) load(t testing.TB, c Config) {
	t.Helper()
	must(t, r.ns.Do(func() (err error) {
		r.plane, err = Load(c)
		return err
	}))
	t.Cleanup(func() {
		must(t, r.plane.Close())
		must(t, Unload(r.dir))
	})
}

// openLegs opens both legs and relays each to the other.
func (r *rig) openLegs(t testing.TB) {
	t.Helper()
	r.callerLeg = r.openLeg(t, r.callerLocal, callerSSRC)
	r.serverLeg = r.openLeg(t, r.serverLocal, serverSSRC)
	must(t, r.callerLeg.Configure(legConfig(r.callerPeer, r.serverLeg)))
	must(t, r.serverLeg.Configure(legConfig(r.serverPeer, r.callerLeg)))
}

func (r *rig) openLeg(t testing.TB, local netip.AddrPort, ssrc uint32) *Leg {
	t.Helper()
	l, err := r.plane.AddLeg(local, ssrc)
	must(t, err)
	t.Cleanup(func() { l.Close() })
	return l
}

func legConfig(peer netip.AddrPort, to *Leg) LegConfig {
	return LegConfig{
		Far:       FarEnd{RTP: peer, RTCP: netip.AddrPortFrom(peer.Addr(), peer.Port()+1)},
		RelayTo:   to,
		ClockRate: 8000, FrameTicks: frameTicks, AudioType: audioType, EventType: eventType,
		MaySend: true, MayReceive: true,
	}
}

// run gives a frame to the relay as if it had arrived from the caller.
func (r *rig) run(t testing.TB, frame []byte) (action uint32, out []byte) {
	t.Helper()
	program := r.plane.objects.Relay
	opts := ebpf.RunOptions{
		Data:    frame,
		DataOut: make([]byte, len(frame)+256),
		Context: testrun.Context{DataEnd: uint32(len(frame)), IngressIfindex: uint32(r.toCaller.Index)},
	}
	must(t, r.ns.Do(func() (err error) {
		action, err = program.Run(&opts)
		return err
	}))
	return action, opts.DataOut
}

// fromCaller is a good packet from the caller; tests change it.
func (r *rig) fromCaller(rtp bpftest.RTP) bpftest.Frame {
	return bpftest.Frame{
		DstMAC: [6]byte(r.toCaller.MAC), SrcMAC: [6]byte(r.callerEnd.MAC),
		Src: r.callerPeer, Dst: r.callerLocal, TTL: 33,
		Payload: rtp.Bytes(),
	}
}

func voice(seq uint16, ts uint32) bpftest.RTP {
	payload := make([]byte, 160)
	for i := range payload {
		payload[i] = byte(i*7) ^ byte(seq)
	}
	return bpftest.RTP{Type: audioType, Seq: seq, TS: ts, SSRC: 0xca11e4, Payload: payload}
}

// verdicts reads the counters by name.
func (r *rig) verdicts(t testing.TB) map[string]uint64 {
	t.Helper()
	all, err := r.plane.Verdicts()
	must(t, err)
	counts := make(map[string]uint64, len(all))
	for _, v := range all {
		counts[v.Name] = v.Packets
	}
	return counts
}

func (r *rig) stats(t testing.TB, l *Leg) LegStats {
	t.Helper()
	s, err := l.Stats()
	must(t, err)
	return s
}

func addrPort(addr string, port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr(addr), port)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%+v", err)
	}
}
