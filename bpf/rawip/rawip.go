// Package rawip sends ready IP packets; the kernel routes them and finds the
// neighbours.
package rawip

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

const (
	ipv4Length = 20
	ipv6Length = 40
	udpLength  = 8
)

// Sockets are one for each IP version; they serve all senders.
type Sockets struct {
	v4, v6 int // v6 is -1 where the host has no IPv6
}

// Open opens sockets in the network namespace it is called in.
func Open() (*Sockets, error) {
	const kind = unix.SOCK_RAW | unix.SOCK_CLOEXEC | unix.SOCK_NONBLOCK
	v4, err := unix.Socket(unix.AF_INET, kind, unix.IPPROTO_RAW)
	if err != nil {
		return nil, fmt.Errorf("open raw socket: %w", err)
	}
	v6, err := unix.Socket(unix.AF_INET6, kind, unix.IPPROTO_RAW)
	if errors.Is(err, unix.EAFNOSUPPORT) {
		return &Sockets{v4: v4, v6: -1}, nil
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open raw socket: %w", err), unix.Close(v4))
	}
	return &Sockets{v4: v4, v6: v6}, nil
}

// Close closes them.
func (r *Sockets) Close() error {
	err := unix.Close(r.v4)
	if r.v6 >= 0 {
		err = errors.Join(err, unix.Close(r.v6))
	}
	return err
}

// Enter moves the calling thread into the sockets' network namespace.
func (r *Sockets) Enter() error {
	fd, err := unix.IoctlRetInt(r.v4, unix.SIOCGSKNS)
	if err != nil {
		return fmt.Errorf("find network namespace: %w", err)
	}
	defer unix.Close(fd)
	return unix.Setns(fd, unix.CLONE_NEWNET)
}

// SendIP sends a whole IP packet to the destination in its header.
func (r *Sockets) SendIP(packet []byte) error {
	if len(packet) >= ipv4Length && packet[0]>>4 == 4 {
		to := unix.SockaddrInet4{Addr: [4]byte(packet[16:20])}
		return sendError(unix.Sendto(r.v4, packet, 0, &to), packet[16:20])
	}
	if len(packet) >= ipv6Length && packet[0]>>4 == 6 && r.v6 >= 0 {
		to := unix.SockaddrInet6{Addr: [16]byte(packet[24:40])}
		return sendError(unix.Sendto(r.v6, packet, 0, &to), packet[24:40])
	}
	return errors.New("send packet: not an IP packet this host can send")
}

func sendError(err error, to []byte) error {
	if err == nil {
		return nil
	}
	addr, _ := netip.AddrFromSlice(to)
	return fmt.Errorf("send packet to %s: %w", addr, err)
}

// UDP builds an IP packet around one datagram.
func UDP(from, to netip.AddrPort, class uint8, payload []byte) ([]byte, error) {
	src, dst := from.Addr().Unmap(), to.Addr().Unmap()
	if !dst.IsValid() || src.Is4() != dst.Is4() {
		return nil, fmt.Errorf("send from %s to %s: not one IP version", from, to)
	}
	packet := Header(src, dst, class, udpLength+len(payload))
	addresses, begin := packet[len(packet)-2*src.BitLen()/8:], len(packet)
	packet = binary.BigEndian.AppendUint16(packet, from.Port())
	packet = binary.BigEndian.AppendUint16(packet, to.Port())
	packet = binary.BigEndian.AppendUint16(packet, uint16(udpLength+len(payload)))
	packet = append(append(packet, 0, 0), payload...)
	udp := packet[begin:]
	binary.BigEndian.PutUint16(udp[6:], NeverZero(^Checksum(addresses, []byte{0, unix.IPPROTO_UDP}, udp[4:6], udp)))
	return packet, nil
}

// Header is an IP header before length octets of UDP, for which it has room; class is
// its traffic class.
func Header(src, dst netip.Addr, class uint8, length int) []byte {
	if src.Is4() {
		h := make([]byte, ipv4Length, ipv4Length+length)
		h[0], h[1], h[6], h[8], h[9] = 0x45, class, 0x40, 64, unix.IPPROTO_UDP
		binary.BigEndian.PutUint16(h[2:], uint16(ipv4Length+length))
		from, to := src.As4(), dst.As4()
		copy(h[12:], from[:])
		copy(h[16:], to[:])
		binary.BigEndian.PutUint16(h[10:], ^Checksum(h))
		return h
	}
	h := make([]byte, ipv6Length, ipv6Length+length)
	h[0], h[1], h[6], h[7] = 0x60|class>>4, class<<4, unix.IPPROTO_UDP, 64
	binary.BigEndian.PutUint16(h[4:], uint16(length))
	from, to := src.As16(), dst.As16()
	copy(h[8:], from[:])
	copy(h[24:], to[:])
	return h
}

// Checksum is the Internet checksum, RFC 1071, before its complement. All parts
// but the last have an even length.
func Checksum(parts ...[]byte) uint16 {
	var sum uint32
	for _, b := range parts {
		for ; len(b) >= 2; b = b[2:] {
			sum += uint32(b[0])<<8 | uint32(b[1])
		}
		if len(b) == 1 {
			sum += uint32(b[0]) << 8
		}
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return uint16(sum)
}

// NeverZero writes a UDP checksum of zero, which would mean "none", as all ones.
func NeverZero(sum uint16) uint16 {
	if sum == 0 {
		return 0xffff
	}
	return sum
}
