package wire

import (
	"errors"
	"net"
	"net/netip"
	"time"
)

// maxDatagram is the largest UDP payload there is.
const maxDatagram = 65535

// packet is one UDP socket. Its peers are reached through it, none of them is
// remembered.
type packet struct {
	layer *Layer
	conn  *net.UDPConn
	addr  netip.AddrPort
}

func newPacket(l *Layer, conn *net.UDPConn) *packet {
	return &packet{layer: l, conn: conn, addr: unmap(conn.LocalAddr().(*net.UDPAddr).AddrPort())}
}

func (p *packet) network() string       { return "udp" }
func (p *packet) local() netip.AddrPort { return p.addr }
func (p *packet) contactPort() uint16   { return p.addr.Port() }

func (p *packet) watch(func(error)) func() { return func() {} }

func (p *packet) write(raw []byte, to netip.AddrPort) error {
	_, err := p.conn.WriteToUDPAddrPort(raw, to)
	return err
}

// read hands every datagram to the layer until the socket is closed. An error
// that an earlier write provoked (ICMP unreachable) must not end it.
func (p *packet) read() {
	buf := make([]byte, maxDatagram)
	for {
		n, from, err := p.conn.ReadFromUDPAddrPort(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			p.layer.log.Warn("sip udp read", "error", err)
			if !p.layer.pause(50 * time.Millisecond) {
				return
			}
			continue
		}
		p.layer.datagram(buf[:n], Link{carrier: p, remote: unmap(from)})
	}
}
