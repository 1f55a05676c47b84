package bpf

import (
	"fmt"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"mcp/bpf/bpftest"
)

// What leaves bears the traffic class of the leg it leaves by, whoever made it, and
// no other bit of that octet is set, whatever the packet had when it came (RFC 2474
// section 3, RFC 8200 section 7).
func TestWhatLeavesIsMarked(t *testing.T) {
	for _, o := range []rigOptions{
		{mode: ModeNative, gro: true},
		{mode: ModeNative, gro: true, ipv6: true},
		{mode: ModeNative, gro: true, mixed: true},
		{mode: ModeGeneric},
		{mode: ModeGeneric, ipv6: true},
		{mode: ModeGeneric, mixed: true},
	} {
		t.Run(fmt.Sprintf("%s,ipv6=%t,mixed=%t", o.mode, o.ipv6, o.mixed), func(t *testing.T) {
			t.Parallel()
			o.static, o.summed = true, true
			m := newMarking(t, o)
			for _, class := range [][2]uint8{{46, 34}, {8, 0}, {0, 46}, {63, 1}} {
				m.agree(t, class)
				m.relayed(t)
				m.made(t)
			}
		})
	}
}

// marking is two legs, what each marks its packets with, and a look at each wire.
type marking struct {
	*rig
	side [2]markedSide
	seq  uint16
}

type markedSide struct {
	leg   *Leg
	far   netip.AddrPort
	phone *phone
	wire  *bpftest.Wire
	dscp  uint8
}

func newMarking(t *testing.T, o rigOptions) *marking {
	m := &marking{rig: newRig(t, o)}
	must(t, m.plane.Receive(func(Event) {}))
	m.openLegs(t)
	m.side = [2]markedSide{
		{leg: m.callerLeg, far: m.callerPeer, phone: newPhone(t, m.caller, m.callerPeer, m.callerLocal), wire: bpftest.NewWire(t, m.caller)},
		{leg: m.serverLeg, far: m.serverPeer, phone: newPhone(t, m.server, m.serverPeer, m.serverLocal), wire: bpftest.NewWire(t, m.server)},
	}
	for _, s := range m.side {
		s.phone.mark(t, 18<<2|2)
	}
	return m
}

// mark has what a phone sends bear a traffic class.
func (p *phone) mark(t *testing.T, class int) {
	t.Helper()
	raw, err := p.conn.SyscallConn()
	must(t, err)
	level, option := unix.IPPROTO_IPV6, unix.IPV6_TCLASS
	if p.peer.Addr().Is4() {
		level, option = unix.IPPROTO_IP, unix.IP_TOS
	}
	var refused error
	must(t, raw.Control(func(fd uintptr) { refused = unix.SetsockoptInt(int(fd), level, option, class) }))
	must(t, refused)
}

func (m *marking) agree(t *testing.T, dscp [2]uint8) {
	t.Helper()
	for i := range m.side {
		m.side[i].dscp = dscp[i]
		c := legConfig(m.side[i].far, m.side[1-i].leg)
		c.Far.DSCP = dscp[i]
		must(t, m.side[i].leg.Configure(c))
	}
}

// relayed looks at what one far end says where the other hears it.
func (m *marking) relayed(t *testing.T) {
	t.Helper()
	m.seq++
	for i, to := range m.side {
		m.side[1-i].phone.send(t, voice(m.seq, uint32(m.seq)*frameTicks).Bytes())
		to.marked(t, "relayed audio", to.leg.Local())
	}
}

// made looks at what userspace has a leg send: audio and reports.
func (m *marking) made(t *testing.T) {
	t.Helper()
	for _, s := range m.side {
		must(t, s.leg.Send(Packet{PayloadType: audioType, Ticks: frameTicks, Data: make([]byte, frameTicks)}))
		s.marked(t, "audio of userspace", s.leg.Local())
		must(t, s.leg.SendRTCP([]byte{0x80, 201, 0, 1, 1, 2, 3, 4}))
		s.marked(t, "a report", netip.AddrPortFrom(s.leg.Local().Addr(), s.leg.Local().Port()+1))
	}
}

func (s *markedSide) marked(t *testing.T, what string, from netip.AddrPort) {
	t.Helper()
	if d := s.wire.From(t, from); d.Class != s.dscp<<2 {
		t.Errorf("%s from %s has traffic class %#x, want DSCP %d", what, from, d.Class, s.dscp)
	}
}
