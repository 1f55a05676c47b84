package bpftest

import (
	"encoding/binary"
	"net/netip"
)

// Frame describes a UDP datagram in an Ethernet frame. Its zero fields give a
// well-formed one; each of the others spoils it in one way.
type Frame struct {
	DstMAC, SrcMAC [6]byte
	VLANs          []uint16 // outer first
	Src, Dst       netip.AddrPort
	Options        []byte // of IPv4, a multiple of four
	Fragment       uint16 // IPv4's flags and offset
	TTL            uint8  // 64 if zero
	Protocol       uint8  // UDP if zero
	Checksum       Checksum
	UDPLength      uint16 // right if zero
	Padding        int    // octets after the datagram, as Ethernet pads
	Payload        []byte
}

// Checksum says what stands in UDP's checksum field.
type Checksum int

const (
	ChecksumFull    Checksum = iota
	ChecksumNone             // zero
	ChecksumPartial          // the pseudo header's sum, as a sender with offload leaves it
)

const udpProtocol = 17

// Bytes builds the frame.
func (f Frame) Bytes() []byte {
	b := append([]byte{}, f.DstMAC[:]...)
	b = append(b, f.SrcMAC[:]...)
	for i, tag := range f.VLANs {
		proto := uint16(0x8100)
		if i < len(f.VLANs)-1 {
			proto = 0x88a8
		}
		b = binary.BigEndian.AppendUint16(b, proto)
		b = binary.BigEndian.AppendUint16(b, tag)
	}
	udp := f.udp()
	if f.ipv4() {
		b = append(binary.BigEndian.AppendUint16(b, 0x0800), f.ipv4Header(len(udp))...)
	} else {
		b = append(binary.BigEndian.AppendUint16(b, 0x86dd), f.ipv6Header(len(udp))...)
	}
	return append(append(b, udp...), make([]byte, f.Padding)...)
}

func (f Frame) ipv4() bool { return f.Src.Addr().Unmap().Is4() }

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

func (f Frame) ipv4Header(payload int) []byte {
	h := make([]byte, 20, 60)
	h = append(h, f.Options...)
	h[0] = 0x40 | byte(len(h)/4)
	binary.BigEndian.PutUint16(h[2:], uint16(len(h)+payload))
	binary.BigEndian.PutUint16(h[6:], f.Fragment)
	h[8], h[9] = orDefault(f.TTL, 64), orDefault(f.Protocol, udpProtocol)
	copy(h[12:], f.Src.Addr().Unmap().AsSlice())
	copy(h[16:], f.Dst.Addr().Unmap().AsSlice())
	binary.BigEndian.PutUint16(h[10:], ^Sum(h))
	return h
}

func (f Frame) ipv6Header(payload int) []byte {
	h := make([]byte, 40)
	h[0] = 0x60
	binary.BigEndian.PutUint16(h[4:], uint16(payload))
	h[6], h[7] = orDefault(f.Protocol, udpProtocol), orDefault(f.TTL, 64)
	copy(h[8:], f.Src.Addr().AsSlice())
	copy(h[24:], f.Dst.Addr().AsSlice())
	return h
}

func (f Frame) udp() []byte {
	u := make([]byte, 8, 8+len(f.Payload))
	binary.BigEndian.PutUint16(u[0:], f.Src.Port())
	binary.BigEndian.PutUint16(u[2:], f.Dst.Port())
	binary.BigEndian.PutUint16(u[4:], orDefault(f.UDPLength, uint16(8+len(f.Payload))))
	u = append(u, f.Payload...)
	pseudo := pseudoHeader(f.Src.Addr(), f.Dst.Addr(), len(u))
	switch f.Checksum {
	case ChecksumFull:
		sum := ^Sum(pseudo, u)
		if sum == 0 {
			sum = 0xffff
		}
		binary.BigEndian.PutUint16(u[6:], sum)
	case ChecksumPartial:
		binary.BigEndian.PutUint16(u[6:], Sum(pseudo))
	}
	return u
}

func pseudoHeader(src, dst netip.Addr, length int) []byte {
	b := append(src.Unmap().AsSlice(), dst.Unmap().AsSlice()...)
	return append(b, 0, udpProtocol, byte(length>>8), byte(length))
}

// Sum is the Internet checksum, RFC 1071, before its complement. All parts but
// the last have an even length.
func Sum(parts ...[]byte) uint16 {
	var sum uint32
	for _, b := range parts {
		for i, octet := range b {
			if i%2 == 0 {
				sum += uint32(octet) << 8
			} else {
				sum += uint32(octet)
			}
		}
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return uint16(sum)
}
