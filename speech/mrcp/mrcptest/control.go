package mrcptest

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"mcp/speech/mrcp/wire"
)

// writeTimeout bounds how long a client may leave its connection unread.
const writeTimeout = 5 * time.Second

// control is a client's TCP connection.
type control struct {
	server *Server
	nc     net.Conn
	peer   netip.Addr

	mu       sync.Mutex // held to write
	sessions map[*Session]struct{}
	broken   bool
}

func newControl(s *Server, nc net.Conn) *control {
	return &control{server: s, nc: nc, sessions: make(map[*Session]struct{}),
		peer: nc.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()}
}

// run reads requests until the connection ends. The sessions on it do not
// outlive it for long.
func (c *control) run() {
	r := wire.NewReader(c.nc, c.server.cfg.MaxMessage)
	for {
		m, err := r.Read()
		var syntax *wire.SyntaxError
		switch {
		case err == nil:
			c.dispatch(m)
			continue
		case errors.As(err, &syntax):
			c.server.log.Info("request not understood", "err", err)
			continue
		case errors.Is(err, wire.ErrTooLarge) && m != nil:
			c.send(wire.NewResponse(m, wire.StatusTooLarge, wire.Complete))
		}
		break
	}
	_ = c.nc.Close() // whatever else there was to know, the reader has told
	c.mu.Lock()
	c.broken = true
	orphans := c.sessions
	c.sessions = nil
	c.mu.Unlock()
	for session := range orphans {
		session.orphan()
	}
}

// dispatch gives a request to its session, or refuses it.
func (c *control) dispatch(m *wire.Message) {
	if m.Kind != wire.Request {
		return
	}
	faults := c.server.failing()
	if faults.drop(m.Name) {
		_ = c.nc.Close() // as a server that crashed
		return
	}
	if faults.silent(m.Name) {
		return
	}
	session, resource := c.server.find(m.Channel())
	switch {
	case !strings.HasPrefix(m.Version, "MRCP/2."):
		c.send(wire.NewResponse(m, wire.StatusVersion, wire.Complete))
	case m.Channel() == "":
		c.send(wire.NewResponse(m, wire.StatusMissingHeader, wire.Complete))
	case session == nil || !c.bind(session):
		c.send(wire.NewResponse(m, wire.StatusNotAllocated, wire.Complete))
	default:
		session.submit(request{m, resource})
	}
}

// bind ties a session to the first connection it is used on: its events go
// there, and with the connection it ends (RFC 6787 section 4.6).
func (c *control) bind(s *Session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.control != nil {
		return s.control == c
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broken {
		return false
	}
	s.control = c
	c.sessions[s] = struct{}{}
	return true
}

func (c *control) unbind(s *Session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.sessions, s)
}

func (c *control) send(m *wire.Message) {
	raw := m.Append(nil)
	if rewrite := c.server.failing().Rewrite; rewrite != nil {
		raw = rewrite(raw)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.nc.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return // the reader finds out and ends the sessions
	}
	if _, err := c.nc.Write(raw); err != nil {
		_ = c.nc.Close() // so that the reader finds out
	}
}
