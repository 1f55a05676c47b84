package wire

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"mcp/control/sip/backlog"
)

// maxDatagram is the largest UDP payload there is.
const maxDatagram = 65535

// packet is one UDP socket. Its peers are reached through it, none of them is
// remembered for longer than a second.
type packet struct {
	layer   *Layer
	conn    *net.UDPConn
	addr    netip.AddrPort
	sources sources
}

func newPacket(l *Layer, conn *net.UDPConn) *packet {
	return &packet{layer: l, conn: conn, addr: unmap(conn.LocalAddr().(*net.UDPAddr).AddrPort())}
}

func (p *packet) network() string     { return "udp" }
func (p *packet) contactPort() uint16 { return p.addr.Port() }

func (p *packet) host(peer netip.AddrPort) netip.Addr {
	if own := p.addr.Addr(); !own.IsUnspecified() {
		return own
	}
	return p.sources.to(peer)
}

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

// look is how often it is looked whether messages were lost or could not be read: each
// 10 s, in T1.
const look = 20

// Lost counts the datagrams that the kernel has dropped since the start because those
// before them were not read yet.
func (l *Layer) Lost() (lost uint64) {
	for _, p := range l.packets {
		if n, err := backlog.Lost(p.conn); err == nil { // else it is closed
			lost += uint64(n)
		}
	}
	return lost
}

// watch warns of messages that were lost or could not be read until the layer closes.
func (l *Layer) watch() {
	for before := uint64(0); l.pause(look * l.timing.t1); {
		if lost := l.Lost(); lost > before {
			l.log.Warn("sip messages lost, which came faster than they were read", "lost", lost-before, "all", lost)
			before = lost
		}
		if n := l.garbage.Swap(0); n > 1 {
			l.log.Warn("sip messages dropped, which could not be read", "messages", n)
		}
	}
}

const (
	sourceLife = time.Second
	maxSources = 1024
)

// sources remembers, for as long as sourceLife, which of our addresses the kernel
// sends from: a call asks several times.
type sources struct {
	mu     sync.Mutex
	known  map[netip.Addr]netip.Addr // by the peer's; of so many peers at most as maxSources
	forget time.Time                 // all of them
}

func (s *sources) to(peer netip.AddrPort) netip.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := time.Now(); s.known == nil || now.After(s.forget) {
		s.known, s.forget = map[netip.Addr]netip.Addr{}, now.Add(sourceLife)
	}
	source, ok := s.known[peer.Addr()]
	if !ok {
		source = sourceFor(peer)
		if !source.IsUnspecified() && len(s.known) < maxSources {
			s.known[peer.Addr()] = source
		}
	}
	return source
}

// sourceFor asks the kernel which address it would send from. Connecting a UDP
// socket sends nothing.
func sourceFor(remote netip.AddrPort) netip.Addr {
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(remote))
	if err != nil {
		return netip.IPv4Unspecified()
	}
	defer c.Close()
	return unmap(c.LocalAddr().(*net.UDPAddr).AddrPort()).Addr()
}
