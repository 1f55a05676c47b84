package wire

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"mcp/control/sip/backlog"
)

// bind opens one listening socket.
func (l *Layer) bind(spec string) error {
	network, addr, _ := strings.Cut(spec, ":")
	switch {
	case addr == "":
		return fmt.Errorf("listen %q: want udp:host:port, tcp:host:port or tls:host:port", spec)
	case network == "tls" && l.cfg.Security == nil:
		return fmt.Errorf("listen %q: TLS needs a certificate", spec)
	case network == "udp":
		c, err := net.ListenPacket("udp"+family(addr), addr)
		if err != nil {
			return fmt.Errorf("listen %s: %w", spec, err)
		}
		conn := c.(*net.UDPConn)
		l.packets = append(l.packets, newPacket(l, conn))
		if err := backlog.Deepen(conn); err != nil {
			return fmt.Errorf("listen %s: %w", spec, err)
		}
	case network == "tcp", network == "tls":
		ln, err := net.Listen("tcp"+family(addr), addr)
		if err != nil {
			return fmt.Errorf("listen %s: %w", spec, err)
		}
		l.listeners = append(l.listeners, listener{ln.(*net.TCPListener), network})
	default:
		return fmt.Errorf("listen %q: transport %q is not supported", spec, network)
	}
	return nil
}

// listener is a socket that takes connections of one transport.
type listener struct {
	*net.TCPListener
	network string
}

// Addr is the bound address, whose network is the SIP transport.
func (l listener) Addr() net.Addr {
	return boundAddr{l.TCPListener.Addr(), l.network}
}

func (l listener) bound() netip.AddrPort {
	return unmap(l.TCPListener.Addr().(*net.TCPAddr).AddrPort())
}

type boundAddr struct {
	net.Addr
	network string
}

func (a boundAddr) Network() string { return a.network }

// family keeps 0.0.0.0 to IPv4, which Go would take for every address there is.
func family(addr string) string {
	if bound, err := netip.ParseAddrPort(addr); err == nil && bound.Addr().Is4() {
		return "4"
	}
	return ""
}

// Addrs are the bound addresses, UDP first.
func (l *Layer) Addrs() []net.Addr {
	var addrs []net.Addr
	for _, p := range l.packets {
		addrs = append(addrs, p.conn.LocalAddr())
	}
	for _, ln := range l.listeners {
		addrs = append(addrs, ln.Addr())
	}
	return addrs
}

// unspecified says whether the listener at a port is bound to no address in
// particular.
func (l *Layer) unspecified(network string, port uint16) bool {
	for _, p := range l.packets {
		if network == p.network() && p.addr.Port() == port {
			return p.addr.Addr().IsUnspecified()
		}
	}
	for _, ln := range l.listeners {
		if network == ln.network && ln.bound().Port() == port {
			return ln.bound().Addr().IsUnspecified()
		}
	}
	return false
}

func (l *Layer) closeSockets() {
	for _, p := range l.packets {
		p.conn.Close()
	}
	for _, ln := range l.listeners {
		ln.Close()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.streams {
		s.shut()
	}
}

func (l *Layer) accept(ln listener) {
	for {
		conn, err := ln.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			l.log.Warn("sip accept", "network", ln.network, "error", err)
			if !l.pause(50 * time.Millisecond) {
				return
			}
			continue
		}
		to := unmap(conn.RemoteAddr().(*net.TCPAddr).AddrPort())
		if ln.network == "tls" {
			conn = tls.Server(conn, l.cfg.Security.Server())
		}
		if err := l.adopt(newStream(l, conn, Target{Network: ln.network, Addr: to}, ln.bound().Port())); err != nil {
			conn.Close()
			return
		}
	}
}

// adopt starts reading a connection and makes it findable.
func (l *Layer) adopt(s *stream) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	if len(l.streams) >= l.cfg.MaxStreams {
		l.makeRoomLocked()
	}
	l.streams[s.to] = s
	l.readers.Go(s.read)
	return nil
}

// makeRoomLocked closes a connection for a new one: one that has never said
// anything, or else one that no call uses. When all are in use there is one more.
func (l *Layer) makeRoomLocked() {
	var victim *stream
	for _, s := range l.streams {
		switch used, proven := s.usage(); {
		case used:
		case !proven:
			victim = s
		case victim == nil:
			victim = s
		}
		if victim != nil && !victim.proven.Load() {
			break
		}
	}
	if victim == nil {
		l.log.Warn("sip connections above the limit, all in use", "limit", l.cfg.MaxStreams)
		return
	}
	l.log.Info("sip connection closed to make room", "peer", victim.to.Addr, "limit", l.cfg.MaxStreams)
	delete(l.streams, victim.to)
	victim.shut()
}

func (l *Layer) forgetStream(s *stream) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.streams[s.to] == s {
		delete(l.streams, s.to)
	}
}

// packetTo picks the UDP socket for a peer: of those bound to an address of its
// family, or to all, the one that the kernel would send to it from.
func (l *Layer) packetTo(to netip.AddrPort) (Link, error) {
	var fit []*packet
	for _, p := range l.packets {
		addr := p.addr.Addr()
		if addr.Is4() == to.Addr().Is4() || (addr.Is6() && addr.IsUnspecified()) {
			fit = append(fit, p)
		}
	}
	if len(fit) == 0 {
		return Link{}, fmt.Errorf("no udp socket to reach %s from", to)
	}
	best := fit[0]
	if len(fit) > 1 {
		source := sourceFor(to)
		for _, p := range fit {
			if p.addr.Addr() == source {
				best = p
			}
		}
	}
	return Link{carrier: best, remote: to}, nil
}
