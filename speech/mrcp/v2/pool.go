package v2

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"

	"mcp/speech"
	"mcp/speech/mrcp/tcp"
)

// pool holds a client's connections and counts who uses them.
type pool struct {
	cfg Config
	log *slog.Logger

	mu    sync.Mutex
	conns []*conn
}

// reserve returns a connection that a further session with a server may share,
// or nil. It must be released.
func (p *pool) reserve(server string) *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		if c.server == server && c.usable() {
			c.refs++
			return c
		}
	}
	return nil
}

// acquire returns the connection for a channel: the existing one if that is what
// the server expects and there is one, else a new one. It must be released.
func (p *pool) acquire(ctx context.Context, at channelAt, preferred *conn) (*conn, error) {
	if at.existing {
		if c := p.share(at.addr, preferred); c != nil {
			return c, nil
		}
	}
	nc, err := tcp.Dialer(p.cfg.Lost).DialContext(ctx, "tcp", at.addr.String())
	if err == nil && p.cfg.TLS != nil {
		nc, err = secure(ctx, nc, at, p.cfg.TLS)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", speech.ErrUnavailable, err)
	}
	c := newConn(nc, at, p.cfg, p.log)
	p.mu.Lock()
	defer p.mu.Unlock()
	c.refs, c.joinable = 1, !p.cfg.OwnConnection
	p.conns = append(p.conns, c)
	return c, nil
}

func (p *pool) share(addr netip.AddrPort, preferred *conn) *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := slices.IndexFunc(p.conns, func(c *conn) bool { return c.addr == addr && c.usable() })
	if preferred != nil && preferred.addr == addr && preferred.usable() {
		at = slices.Index(p.conns, preferred)
	}
	if at < 0 {
		return nil
	}
	p.conns[at].refs++
	return p.conns[at]
}

// retain counts a further use of a connection that the caller already holds.
func (p *pool) retain(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.refs++
}

// abandon keeps further sessions off a connection; those on it stay.
func (p *pool) abandon(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.joinable = false
}

// release gives a connection back. The last to do so closes it and waits for its
// goroutines.
func (p *pool) release(c *conn) {
	p.mu.Lock()
	c.refs--
	last := c.refs == 0
	if last {
		p.conns = slices.DeleteFunc(p.conns, func(other *conn) bool { return other == c })
	}
	p.mu.Unlock()
	if last {
		c.fail(net.ErrClosed)
		c.wg.Wait()
	}
}

func (p *pool) size() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.conns)
}
