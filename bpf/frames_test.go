package bpf

import (
	"net/netip"

	"mcp/bpf/bpftest"
)

// frame makes the next one: most from a far end that obeys the RFCs on a bad
// network, some with a header bent, some with bytes overwritten, a few of noise.
func (c *contest) frame() []byte {
	if c.one(200) {
		return c.noise(make([]byte, 14+c.rnd.IntN(300)))
	}
	s := c.speakers[c.rnd.IntN(len(c.speakers))]
	f := bpftest.Frame{
		DstMAC: s.leg.myMAC, SrcMAC: s.leg.toMAC,
		Src: s.leg.far, Dst: s.leg.local, TTL: uint8(1 + c.rnd.IntN(255)),
		Payload: c.voice(s),
	}
	if c.one(4) {
		c.bend(&f)
	}
	b := f.Bytes()
	switch {
	case c.one(10):
		for range 1 + c.rnd.IntN(4) {
			b[c.rnd.IntN(min(len(b), 100))] = byte(c.rnd.Uint32())
		}
	case c.one(40):
		b = b[:14+c.rnd.IntN(len(b)-14)]
	}
	return b
}

func (c *contest) one(in int) bool { return c.rnd.IntN(in) == 0 }

func (c *contest) noise(b []byte) []byte {
	for i := range b {
		b[i] = byte(c.rnd.Uint32())
	}
	return b
}

// voice goes on with a speaker's stream: losses, duplicates, reordering, pauses,
// restarts, forged sources and events.
func (c *contest) voice(s *speaker) []byte {
	s.seq++
	s.ts += frameTicks
	p := bpftest.RTP{Type: audioType, Seq: s.seq, TS: s.ts, SSRC: s.ssrc, Marker: c.one(50)}
	switch c.rnd.IntN(30) {
	case 0: // lost ones
		n := c.rnd.IntN(4000)
		s.seq += uint16(n)
		s.ts += uint32(n) * frameTicks
		p.Seq, p.TS = s.seq, s.ts
	case 1: // late or twice
		n := c.rnd.IntN(120)
		p.Seq -= uint16(n)
		p.TS -= uint32(n) * frameTicks
	case 2: // a pause
		s.ts += uint32(c.rnd.IntN(9 * clockRate))
		p.TS = s.ts
	case 3: // a restart
		s.seq, s.ts = uint16(c.rnd.Uint32()), c.rnd.Uint32()
		p.Seq, p.TS = s.seq, s.ts
	case 4:
		p.SSRC = c.rnd.Uint32()
	case 5:
		p.Type = s.leg.event
	case 6:
		p.Type = uint8(c.rnd.IntN(128))
	case 7:
		p.Type = noiseType + uint8(c.rnd.IntN(3))
	}
	p.Payload = c.noise(make([]byte, c.length()))
	if p.Type == s.leg.event && !c.one(4) {
		p.TS -= p.TS % (50 * frameTicks)
		p.Payload = []byte{byte(c.rnd.IntN(2)), byte(c.rnd.Uint32()), byte(-c.rnd.IntN(2)), byte(-c.rnd.IntN(2))}
	}
	b := p.Bytes()
	if c.one(20) {
		b[0] = byte(c.rnd.Uint32()) // version, padding, extension, contributing sources
	}
	return b
}

func (c *contest) length() int {
	switch c.rnd.IntN(20) {
	case 0:
		return c.rnd.IntN(20)
	case 1:
		return 1400 + c.rnd.IntN(70)
	}
	return 160 + c.rnd.IntN(3)
}

// bend changes one thing of a header in a way that is still well written.
func (c *contest) bend(f *bpftest.Frame) {
	switch c.rnd.IntN(12) {
	case 0:
		f.Checksum = bpftest.ChecksumNone
	case 1:
		f.Checksum = bpftest.ChecksumPartial
	case 2:
		f.VLANs = []uint16{7, 8, 9}[:1+c.rnd.IntN(3)]
	case 3:
		if f.Src.Addr().Is4() {
			f.Options = c.noise(make([]byte, 4*(1+c.rnd.IntN(10))))
		}
	case 4:
		f.Padding = c.rnd.IntN(50)
	case 5:
		f.Fragment = uint16(c.rnd.Uint32())
	case 6:
		f.Protocol = uint8(c.rnd.Uint32())
	case 7:
		f.UDPLength = uint16(c.rnd.IntN(300))
	case 8:
		f.Src = netip.AddrPortFrom(f.Src.Addr(), f.Src.Port()+uint16(c.rnd.IntN(3)))
	case 9:
		f.Dst = netip.AddrPortFrom(f.Dst.Addr(), f.Dst.Port()+uint16(c.rnd.IntN(30)))
	case 10:
		f.Src = netip.AddrPortFrom(f.Src.Addr().Next(), f.Src.Port())
	case 11:
		f.Payload = append([]byte{0x80, uint8(192 + c.rnd.IntN(32)), 0, 1}, c.noise(make([]byte, c.rnd.IntN(40)))...)
	}
}
