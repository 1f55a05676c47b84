package bpftest

import (
	"encoding/binary"
	"errors"
	"net/netip"
)

// RTP is an RTP packet without extras.
type RTP struct {
	Marker  bool
	Type    uint8
	Seq     uint16
	TS      uint32
	SSRC    uint32
	Payload []byte
}

// Bytes builds the packet.
func (r RTP) Bytes() []byte {
	b := []byte{0x80, r.Type}
	if r.Marker {
		b[1] |= 0x80
	}
	b = binary.BigEndian.AppendUint16(b, r.Seq)
	b = binary.BigEndian.AppendUint32(b, r.TS)
	b = binary.BigEndian.AppendUint32(b, r.SSRC)
	return append(b, r.Payload...)
}

// ParseRTP takes a packet apart.
func ParseRTP(b []byte) (RTP, error) {
	if len(b) < 12 || b[0]>>6 != 2 {
		return RTP{}, errors.New("not RTP")
	}
	header := 12 + 4*int(b[0]&0xf)
	if len(b) < header {
		return RTP{}, errors.New("RTP header is cut off")
	}
	return RTP{
		Marker:  b[1]&0x80 != 0,
		Type:    b[1] & 0x7f,
		Seq:     binary.BigEndian.Uint16(b[2:]),
		TS:      binary.BigEndian.Uint32(b[4:]),
		SSRC:    binary.BigEndian.Uint32(b[8:]),
		Payload: b[header:],
	}, nil
}

// Datagram is what Dissect finds in a frame or packet.
type Datagram struct {
	DstMAC, SrcMAC [6]byte
	Src, Dst       netip.AddrPort
	TTL            uint8
	Class          uint8  // DSCP and ECN, the traffic class of IPv6
	Checksum       uint16 // UDP's, as it stands
	Payload        []byte
}

var errDissect = errors.New("not a well-formed UDP datagram")

// Dissect takes a frame apart and checks every length and checksum from
// scratch; a UDP checksum of zero is right over IPv4.
func Dissect(frame []byte) (Datagram, error) {
	var d Datagram
	if len(frame) < 14 {
		return d, errDissect
	}
	copy(d.DstMAC[:], frame)
	copy(d.SrcMAC[:], frame[6:])
	proto, rest := binary.BigEndian.Uint16(frame[12:]), frame[14:]
	for (proto == 0x8100 || proto == 0x88a8) && len(rest) >= 4 {
		proto, rest = binary.BigEndian.Uint16(rest[2:]), rest[4:]
	}
	err := d.ip(rest)
	return d, err
}

// DissectIP is Dissect for an IP packet without a frame.
func DissectIP(packet []byte) (Datagram, error) {
	var d Datagram
	err := d.ip(packet)
	return d, err
}

func (d *Datagram) ip(b []byte) error {
	if len(b) >= 20 && b[0]>>4 == 4 {
		header, total := int(b[0]&0xf)*4, int(binary.BigEndian.Uint16(b[2:]))
		if header < 20 || total < header || total > len(b) || b[9] != udpProtocol {
			return errDissect
		}
		if Sum(b[:header]) != 0xffff {
			return errors.New("IPv4 checksum is wrong")
		}
		d.TTL, d.Class = b[8], b[1]
		src, dst := netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20]))
		return d.udp(src, dst, b[header:total])
	}
	if len(b) < 40 || b[0]>>4 != 6 || b[6] != udpProtocol {
		return errDissect
	}
	total := 40 + int(binary.BigEndian.Uint16(b[4:]))
	if total > len(b) {
		return errDissect
	}
	d.TTL, d.Class = b[7], b[0]<<4|b[1]>>4
	src, dst := netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40]))
	return d.udp(src, dst, b[40:total])
}

func (d *Datagram) udp(src, dst netip.Addr, b []byte) error {
	if len(b) < 8 {
		return errDissect
	}
	length := int(binary.BigEndian.Uint16(b[4:]))
	if length < 8 || length > len(b) {
		return errDissect
	}
	b = b[:length]
	d.Src = netip.AddrPortFrom(src, binary.BigEndian.Uint16(b))
	d.Dst = netip.AddrPortFrom(dst, binary.BigEndian.Uint16(b[2:]))
	d.Checksum = binary.BigEndian.Uint16(b[6:])
	d.Payload = b[8:]
	if d.Checksum == 0 && src.Is4() {
		return nil
	}
	if Sum(pseudoHeader(src, dst, length), b) != 0xffff {
		return errors.New("UDP checksum is wrong")
	}
	return nil
}
