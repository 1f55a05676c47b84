package bpf

import (
	"encoding/binary"
	"net/netip"
)

// datagram is what the model finds in a frame.
type datagram struct {
	src, dst netip.AddrPort
	check    uint16
	udp      []byte // header and payload
	payload  []byte
	padding  []byte // behind the IP packet
}

// dissect takes a frame apart, or says why it passes.
func dissect(frame []byte) (p datagram, verdict string) {
	if len(frame) < 14 {
		return p, "pass_malformed"
	}
	kind, rest := binary.BigEndian.Uint16(frame[12:]), frame[14:]
	for tags := 0; tags < 2 && (kind == 0x8100 || kind == 0x88a8); tags++ {
		if len(rest) < 4 {
			return p, "pass_malformed"
		}
		kind, rest = binary.BigEndian.Uint16(rest[2:]), rest[4:]
	}
	switch kind {
	case 0x0800:
		return dissectIPv4(rest)
	case 0x86dd:
		return dissectIPv6(rest)
	}
	return p, "pass_not_ip"
}

func dissectIPv4(b []byte) (p datagram, verdict string) {
	if len(b) < 20 {
		return p, "pass_malformed"
	}
	header, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
	switch {
	case b[0]>>4 != 4 || header < 20 || total < header || total > len(b):
		return p, "pass_malformed"
	case b[9] != 17:
		return p, "pass_not_udp"
	case binary.BigEndian.Uint16(b[6:])&0x3fff != 0:
		return p, "pass_fragment"
	}
	src, dst := netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20]))
	return dissectUDP(src, dst, b, header, total)
}

func dissectIPv6(b []byte) (p datagram, verdict string) {
	switch {
	case len(b) < 40 || b[0]>>4 != 6:
		return p, "pass_malformed"
	case b[6] == 44:
		return p, "pass_fragment"
	case b[6] != 17:
		return p, "pass_not_udp"
	}
	total := 40 + int(binary.BigEndian.Uint16(b[4:]))
	if total > len(b) {
		return p, "pass_malformed"
	}
	src, dst := netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40]))
	if src.Is4In6() || dst.Is4In6() {
		return p, "pass_malformed"
	}
	return dissectUDP(src, dst, b, 40, total)
}

// dissectUDP looks behind an IP header in a packet with a total length.
func dissectUDP(src, dst netip.Addr, b []byte, header, total int) (p datagram, verdict string) {
	if len(b) < header+8 {
		return p, "pass_malformed"
	}
	u := b[header:]
	length := int(binary.BigEndian.Uint16(u[4:]))
	if length < 8 || length > total-header {
		return p, "pass_malformed"
	}
	p.src = netip.AddrPortFrom(src, binary.BigEndian.Uint16(u))
	p.dst = netip.AddrPortFrom(dst, binary.BigEndian.Uint16(u[2:]))
	p.check = binary.BigEndian.Uint16(u[6:])
	p.udp, p.payload, p.padding = u[:length], u[8:length], u[length:]
	return p, ""
}

type rtpHeader struct {
	kind   byte
	marker bool
	seq    uint16
	ts     uint32
	ssrc   uint32
}

func rtpOf(b []byte) rtpHeader {
	return rtpHeader{
		kind: b[1] & 0x7f, marker: b[1]&0x80 != 0,
		seq: binary.BigEndian.Uint16(b[2:]), ts: binary.BigEndian.Uint32(b[4:]), ssrc: binary.BigEndian.Uint32(b[8:]),
	}
}
