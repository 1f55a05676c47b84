package rtsp

import (
	"context"
	"errors"
	"net"
	"strconv"
	"sync"
	"time"
)

// Conn is a client's connection to a server. Requests may be sent without waiting
// for the responses to those before; responses are told apart by CSeq.
type Conn struct {
	nc           net.Conn
	handle       func(request *Message) *Message
	lost         func(error)
	writeTimeout time.Duration

	mu      sync.Mutex
	cseq    uint64
	pending map[uint64]func(*Message, error)
	queue   []byte // written, but not yet sent
	err     error  // why the connection is over

	wake    chan struct{}
	stopped chan struct{} // closed with err
	wg      sync.WaitGroup
}

// ConnConfig says how a connection behaves.
type ConnConfig struct {
	// Handle answers the server's own requests; its result gets their CSeq.
	Handle func(request *Message) *Message
	// Lost hears, once, that the connection is over, unless Close ended it. Like
	// Handle it is called from the connection's goroutines and must not wait.
	Lost func(error)
	// MaxMessage bounds the messages a server may send, in octets; 1 MiB.
	MaxMessage int
	// WriteTimeout bounds how long the server may leave the connection unread; 5 s.
	WriteTimeout time.Duration
}

// NewConn makes a Conn of a network connection. Close must be called.
func NewConn(nc net.Conn, cfg ConnConfig) *Conn {
	if cfg.WriteTimeout <= 0 {
		cfg.WriteTimeout = 5 * time.Second
	}
	c := &Conn{nc: nc, handle: cfg.Handle, lost: cfg.Lost, writeTimeout: cfg.WriteTimeout,
		pending: make(map[uint64]func(*Message, error)), wake: make(chan struct{}, 1), stopped: make(chan struct{})}
	c.wg.Go(func() { c.readAll(NewReader(nc, cfg.MaxMessage)) })
	c.wg.Go(c.writeAll)
	return c
}

// Send queues a request and has answered called, once, with its response or with
// why there is none. It does not wait.
func (c *Conn) Send(m *Message, answered func(*Message, error)) {
	c.mu.Lock()
	if c.err != nil {
		err := c.err
		c.mu.Unlock()
		answered(nil, err)
		return
	}
	c.cseq++
	m.Header = append(m.Header[:0:0], m.Header...)
	m.Header.Set(HeaderCSeq, strconv.FormatUint(c.cseq, 10))
	c.pending[c.cseq] = answered
	c.queue = m.Append(c.queue)
	c.mu.Unlock()
	c.rouse()
}

// Do sends a request and waits for its response.
func (c *Conn) Do(ctx context.Context, m *Message) (*Message, error) {
	type outcome struct {
		m   *Message
		err error
	}
	got := make(chan outcome, 1)
	c.Send(m, func(m *Message, err error) { got <- outcome{m, err} })
	select {
	case o := <-got:
		return o.m, o.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (c *Conn) rouse() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *Conn) writeAll() {
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
		err := c.nc.SetWriteDeadline(time.Now().Add(c.writeTimeout))
		if err == nil {
			_, err = c.nc.Write(batch)
		}
		if err != nil {
			c.fail(err)
			return
		}
	}
}

func (c *Conn) readAll(r *Reader) {
	for {
		m, err := r.Read()
		if err != nil {
			c.fail(err)
			return
		}
		if m.Method == "" {
			c.answered(m)
			continue
		}
		// A server's own requests may carry a CSeq of ours: it is only repeated.
		response := c.handle(m)
		c.mu.Lock()
		c.queue = response.Append(c.queue)
		c.mu.Unlock()
		c.rouse()
	}
}

// answered gives a response to who waits for it. One without a CSeq is that of
// the only request there is.
func (c *Conn) answered(m *Message) {
	c.mu.Lock()
	cseq, numbered := m.CSeq()
	if !numbered && len(c.pending) == 1 {
		for only := range c.pending {
			cseq = only
		}
	}
	answered := c.pending[cseq]
	delete(c.pending, cseq)
	c.mu.Unlock()
	if answered != nil {
		answered(m, nil)
	}
}

// fail ends the connection; only the first reason counts.
func (c *Conn) fail(err error) {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	c.err = err
	pending := c.pending
	c.pending = nil
	close(c.stopped)
	c.mu.Unlock()
	_ = c.nc.Close() // it is useless already; nothing more can be learned
	for _, answered := range pending {
		answered(nil, err)
	}
	if !errors.Is(err, net.ErrClosed) {
		c.lost(err)
	}
}

// Close ends the connection and waits for its goroutines.
func (c *Conn) Close() {
	c.fail(net.ErrClosed)
	c.wg.Wait()
}
