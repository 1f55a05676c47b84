package v2

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"mcp/speech"
	"mcp/speech/mrcp/wire"
)

// receiver is a session as its connection sees it. Both methods are called from
// the connection's goroutine and must not wait.
type receiver interface {
	receive(m *wire.Message)
	lost(err error)
}

// conn is one TCP connection to a server. The channels of any number of sessions
// share it (RFC 6787 section 4.4) and are told apart by Channel-Identifier.
type conn struct {
	nc     net.Conn
	addr   netip.AddrPort
	server string // the URI that led to it
	log    *slog.Logger

	// Guarded by the pool.
	refs     int
	joinable bool

	mu        sync.Mutex
	receivers map[string]receiver
	queue     []byte // written, but not yet sent
	err       error  // why the connection is over

	wake    chan struct{}
	stopped chan struct{} // closed with err
	wg      sync.WaitGroup
}

func newConn(nc net.Conn, at channelAt, cfg Config, log *slog.Logger) *conn {
	c := &conn{nc: nc, addr: at.addr, server: at.server, log: log.With("server", at.addr.String()), joinable: true,
		receivers: make(map[string]receiver), wake: make(chan struct{}, 1), stopped: make(chan struct{})}
	c.wg.Go(func() { c.readAll(wire.NewReader(nc, cfg.MaxMessage)) })
	c.wg.Go(func() { c.writeAll(cfg.WriteTimeout) })
	return c
}

func (c *conn) attach(channel string, r receiver) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return c.err
	}
	key := strings.ToLower(channel)
	if _, taken := c.receivers[key]; taken {
		return fmt.Errorf("channel %s is given out twice", channel)
	}
	c.receivers[key] = r
	return nil
}

func (c *conn) detach(channel string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.receivers, strings.ToLower(channel))
}

// send queues a message. It does not wait; a server that does not read is found
// out by the response that stays away.
func (c *conn) send(m *wire.Message) {
	c.mu.Lock()
	c.queue = m.Append(c.queue)
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *conn) writeAll(timeout time.Duration) {
	for {
		select {
		case <-c.stopped:
			return
		case <-c.wake:
		}
		c.mu.Lock()
		batch := c.queue
		c.queue = nil
		c.mu.Unlock()
		if err := c.nc.SetWriteDeadline(time.Now().Add(timeout)); err != nil {
			c.fail(err)
			return
		}
		if _, err := c.nc.Write(batch); err != nil {
			c.fail(err)
			return
		}
	}
}

func (c *conn) readAll(r *wire.Reader) {
	for {
		m, err := r.Read()
		var syntax *wire.SyntaxError
		switch {
		case errors.As(err, &syntax):
			c.log.Warn("mrcp message not understood", "err", err)
		case err != nil:
			c.fail(err)
			return
		default:
			c.deliver(m)
		}
	}
}

func (c *conn) deliver(m *wire.Message) {
	c.mu.Lock()
	r := c.receivers[strings.ToLower(m.Channel())]
	if r == nil && m.Channel() == "" {
		r = c.onlyLocked()
	}
	c.mu.Unlock()
	if r == nil {
		c.log.Debug("mrcp message for no session", "message", m.String(), "channel", m.Channel())
		return
	}
	r.receive(m)
}

// onlyLocked is the session of the connection if it is the only one: then it is clear
// whom a message is for that names no channel, as some servers' do.
func (c *conn) onlyLocked() receiver {
	var only receiver
	for _, r := range c.receivers {
		if only != nil && only != r {
			return nil
		}
		only = r
	}
	return only
}

// fail ends the connection and tells its sessions; only the first reason counts.
func (c *conn) fail(err error) {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	c.err = fmt.Errorf("%w: connection to %v: %w", speech.ErrUnavailable, c.addr, err)
	sessions := make(map[receiver]struct{})
	for _, r := range c.receivers {
		sessions[r] = struct{}{}
	}
	close(c.stopped)
	c.mu.Unlock()
	_ = c.nc.Close() // it is useless already; nothing more can be learned
	for r := range sessions {
		r.lost(c.err)
	}
}

// usable tells whether a further session may join; the pool's lock is held.
func (c *conn) usable() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.joinable && c.err == nil
}
