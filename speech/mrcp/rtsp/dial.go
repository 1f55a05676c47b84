package rtsp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"mcp/speech/mrcp/tcp"
)

// Dialer connects from a range of local ports, so that operators can let just
// these through. It may be used from many goroutines.
type Dialer struct {
	// PortMin and PortMax are the range; 0 leaves the port to the system.
	PortMin, PortMax uint16
	// TLS has the connection go over TLS.
	TLS *tls.Config
	// Lost is how long nothing need be heard of a far end's machine to take it for
	// gone; 25 s.
	Lost time.Duration

	next atomic.Uint32
}

// Dial connects to a host and port.
func (d *Dialer) Dial(ctx context.Context, address string) (net.Conn, error) {
	nc, err := d.connect(ctx, address)
	if err != nil {
		return nil, err
	}
	if d.TLS == nil {
		return nc, nil
	}
	cfg := d.TLS.Clone()
	if cfg.ServerName == "" {
		cfg.ServerName, _, _ = net.SplitHostPort(address)
	}
	secured := tls.Client(nc, cfg)
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = nc.Close() // nothing was sent over it
		return nil, fmt.Errorf("tls with %s: %w", address, err)
	}
	return secured, nil
}

// connect tries the ports of the range in turn, each connection from the next.
func (d *Dialer) connect(ctx context.Context, address string) (net.Conn, error) {
	dialer := tcp.Dialer(d.Lost)
	watched := dialer.Control
	dialer.Control = func(network, address string, raw syscall.RawConn) error {
		return errors.Join(watched(network, address, raw), reuse(raw))
	}
	if d.PortMin == 0 {
		return dialer.DialContext(ctx, "tcp", address)
	}
	ports := uint32(d.PortMax-d.PortMin) + 1
	var err error
	for range ports {
		port := uint32(d.PortMin) + (d.next.Add(1)-1)%ports
		dialer.LocalAddr = &net.TCPAddr{Port: int(port)}
		var nc net.Conn
		nc, err = dialer.DialContext(ctx, "tcp", address)
		if err == nil || !errors.Is(err, syscall.EADDRINUSE) && !errors.Is(err, syscall.EADDRNOTAVAIL) {
			return nc, err
		}
	}
	return nil, fmt.Errorf("no free port from %d to %d: %w", d.PortMin, d.PortMax, err)
}

// reuse lets a port be used again that a connection before has just left.
func reuse(raw syscall.RawConn) error {
	return tcp.Set(raw, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
}
