package wire

import (
	"context"
	"crypto/tls"
	"net"
	"time"
)

// Dead peers are found out by the kernel: a connection that calls wait on is
// probed when it is quiet, and given up when what is sent stays unacknowledged.
const (
	probeAfter = 15 * time.Second
	probeEvery = 5 * time.Second
	probes     = 3
)

// dial is one attempt that several callers may wait for.
type dial struct {
	done   chan struct{}
	stream *stream
	err    error
}

// streamTo reuses the open connection to a peer, or dials one; callers that
// want the same at once share one attempt.
func (l *Layer) streamTo(ctx context.Context, to Target) (*stream, error) {
	if to.Network == "tcp" {
		to.Name = "" // of no concern, and one connection is enough
	}
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

func (l *Layer) dial(d *dial, to Target) {
	ctx, cancel := context.WithTimeout(context.Background(), min(64*l.timing.t1, stallLimit))
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
	conn, err := l.connect(ctx, to)
	if err == nil {
		d.stream = newStream(l, conn, to, l.streamPort(to.Network, conn))
		d.stream.proven.Store(true) // we chose to connect
		d.stream.dialled = true
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

// connect makes a connection, secured if the transport is.
func (l *Layer) connect(ctx context.Context, to Target) (net.Conn, error) {
	if to.Network == "tls" && l.cfg.Security == nil {
		return nil, errNoSecurity
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", to.Addr.String())
	if err != nil || to.Network != "tls" {
		return conn, err
	}
	name := to.Name
	if name == "" {
		name = to.Addr.Addr().String()
	}
	secured := tls.Client(conn, l.cfg.Security.Client(name))
	if err := secured.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return secured, nil
}

// streamPort is where peers reach us over a transport: the first listener, or
// for want of one the connection itself.
func (l *Layer) streamPort(network string, conn net.Conn) uint16 {
	for _, ln := range l.listeners {
		if ln.network == network {
			return ln.bound().Port()
		}
	}
	return unmap(conn.LocalAddr().(*net.TCPAddr).AddrPort()).Port()
}

// guard has the kernel find out dead peers.
func guard(conn net.Conn) {
	if secured, ok := conn.(*tls.Conn); ok {
		conn = secured.NetConn()
	}
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return
	}
	// What a platform cannot do is left at its default.
	_ = tcp.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: probeAfter, Interval: probeEvery, Count: probes})
	limitUnacknowledged(tcp, probeAfter+probes*probeEvery)
}
