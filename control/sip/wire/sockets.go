package wire

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

func portString(a netip.AddrPort) string { return strconv.Itoa(int(a.Port())) }

// bind opens one listening socket.
func (l *Layer) bind(spec string) error {
	network, addr, _ := strings.Cut(spec, ":")
	switch {
	case addr == "":
		return fmt.Errorf("listen %q: want tcp:host:port or udp:host:port", spec)
	case network == "udp":
		c, err := net.ListenPacket("udp"+family(addr), addr)
		if err != nil {
			return fmt.Errorf("listen %s: %w", spec, err)
		}
		l.packets = append(l.packets, newPacket(l, c.(*net.UDPConn)))
	case network == "tcp":
		ln, err := net.Listen("tcp"+family(addr), addr)
		if err != nil {
			return fmt.Errorf("listen %s: %w", spec, err)
		}
		l.listeners = append(l.listeners, ln.(*net.TCPListener))
	default:
		return fmt.Errorf("listen %q: transport %q is not supported", spec, network)
	}
	return nil
}

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
	for _, addr := range l.Addrs() {
		if addr.Network() != network {
			continue
		}
		bound := netip.MustParseAddrPort(addr.String())
		if bound.Port() == port {
			return bound.Addr().IsUnspecified()
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

func (l *Layer) accept(ln *net.TCPListener) {
	port := unmap(ln.Addr().(*net.TCPAddr).AddrPort()).Port()
	for {
		conn, err := ln.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			l.log.Warn("sip tcp accept", "error", err)
			if !l.pause(50 * time.Millisecond) {
				return
			}
			continue
		}
		if err := l.adopt(newStream(l, conn, port)); err != nil {
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
	l.streams[s.to] = s
	l.readers.Go(s.read)
	return nil
}

func (l *Layer) forgetStream(s *stream) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.streams[s.to] == s {
		delete(l.streams, s.to)
	}
}

// packetTo picks the UDP socket for a peer: one bound to an address of its
// family, or to all.
func (l *Layer) packetTo(to netip.AddrPort) (Link, error) {
	for _, p := range l.packets {
		addr := p.addr.Addr()
		if addr.Is4() == to.Addr().Is4() || (addr.Is6() && addr.IsUnspecified()) {
			return Link{carrier: p, remote: to}, nil
		}
	}
	return Link{}, fmt.Errorf("no udp socket to reach %s from", to)
}

// dial is one attempt that several callers may wait for.
type dial struct {
	done   chan struct{}
	stream *stream
	err    error
}

// streamTo reuses the open connection to a peer, or dials one; callers that
// want the same at once share one attempt.
func (l *Layer) streamTo(ctx context.Context, to netip.AddrPort) (*stream, error) {
	l.mu.Lock()
	if s := l.streams[to]; s != nil && !s.gone() {
		l.mu.Unlock()
		return s, nil
	}
	if l.closed {
		l.mu.Unlock()
		return nil, ErrClosed
	}
	d := l.dials[to]
	if d == nil {
		d = &dial{done: make(chan struct{})}
		l.dials[to] = d
		l.readers.Go(func() { l.dial(d, to) })
	}
	l.mu.Unlock()
	select {
	case <-d.done:
		return d.stream, d.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *Layer) dial(d *dial, to netip.AddrPort) {
	dialer := net.Dialer{Timeout: min(64*l.timing.t1, stallLimit)}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	finished := make(chan struct{})
	l.readers.Go(func() {
		select {
		case <-l.stopped:
			cancel()
		case <-finished:
		}
	})
	defer close(finished)
	conn, err := dialer.DialContext(ctx, "tcp", to.String())
	if err == nil {
		d.stream = newStream(l, conn, l.streamPort(conn))
		if err = l.adopt(d.stream); err != nil {
			conn.Close()
		}
	}
	d.err = err
	l.mu.Lock()
	delete(l.dials, to)
	l.mu.Unlock()
	close(d.done)
}

// streamPort is where peers reach us over TCP: the first listener, or for want
// of one the connection itself.
func (l *Layer) streamPort(conn net.Conn) uint16 {
	for _, ln := range l.listeners {
		return unmap(ln.Addr().(*net.TCPAddr).AddrPort()).Port()
	}
	return unmap(conn.LocalAddr().(*net.TCPAddr).AddrPort()).Port()
}
