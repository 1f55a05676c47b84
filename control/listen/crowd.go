package listen

import (
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// silence is how long a client may be about to ask for something before its connection
// is given up for another's. It usually asks with its first packet.
const silence = time.Second

// crowd is a listener with so many connections at most. One more than that has the one
// closed that has waited longest for its client to ask for something, so that clients
// that ask for nothing keep no probe out. Where all are being answered, it waits.
type crowd struct {
	net.Listener
	most    int
	changed chan struct{} // holds something when one has ended, or begun to wait
	closed  chan struct{}
	close   sync.Once

	mu      sync.Mutex
	open    int
	waiting []idler // for a request, the longest first
}

type idler struct {
	net.Conn
	since time.Time
}

func newCrowd(l net.Listener, most int) *crowd {
	return &crowd{Listener: l, most: most, changed: make(chan struct{}, 1), closed: make(chan struct{})}
}

// Accept implements net.Listener.
func (c *crowd) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err != nil {
		return nil, err
	}
	for {
		in, again := c.admit()
		if in {
			return conn, nil
		}
		select {
		case <-c.changed:
		case <-time.After(again):
		case <-c.closed:
			_ = conn.Close()
			return nil, net.ErrClosed
		}
	}
}

// Close implements net.Listener.
func (c *crowd) Close() error {
	c.close.Do(func() { close(c.closed) })
	return c.Listener.Close()
}

// admit counts one more connection in, or has another make room for it; again is when
// to look next at the latest.
func (c *crowd) admit() (in bool, again time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open < c.most {
		c.open++
		return true, 0
	}
	if len(c.waiting) == 0 {
		return false, silence
	}
	if left := silence - time.Since(c.waiting[0].since); left > 0 {
		return false, left
	}
	_ = c.waiting[0].Close() // follow is told of its end
	c.waiting = c.waiting[1:]
	return false, silence
}

// follow is told what each connection comes to; see http.Server.ConnState.
func (c *crowd) follow(conn net.Conn, to http.ConnState) {
	c.mu.Lock()
	c.waiting = slices.DeleteFunc(c.waiting, func(w idler) bool { return w.Conn == conn })
	switch to {
	case http.StateNew, http.StateIdle:
		c.waiting = append(c.waiting, idler{conn, time.Now()})
	case http.StateClosed, http.StateHijacked:
		c.open--
	}
	c.mu.Unlock()
	select {
	case c.changed <- struct{}{}:
	default:
	}
}
