package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// stallLimit bounds how long a peer may take to finish a message it began, its
// first message, a handshake, and to read what we send it: a connection that
// stalls longer is closed.
const stallLimit = 10 * time.Second

// readBuffer is small, for there may be thousands of connections.
const readBuffer = 4 << 10

var (
	errNoSecurity = errors.New("TLS is not configured")
	errIdle       = errors.New("nothing was said for too long")
)

// stream is one TCP or TLS connection, accepted or dialled.
type stream struct {
	layer   *Layer
	conn    net.Conn
	from    netip.Addr  // ours
	to      Target      // the peer
	public  uint16      // port at which the peer can reach us
	proven  atomic.Bool // it has delivered a whole message
	dialled bool        // by us

	writing sync.Mutex

	mu       sync.Mutex
	closed   bool
	watchers map[int]func(error)
	serial   int

	// Of the reader alone: a message has begun; how much of it is known not to have
	// the end of the header section; how long it will be, once that is known.
	partial  bool
	searched int
	length   int
}

func newStream(l *Layer, conn net.Conn, to Target, public uint16) *stream {
	guard(conn)
	return &stream{
		layer:    l,
		conn:     conn,
		from:     unmap(conn.LocalAddr().(*net.TCPAddr).AddrPort()).Addr(),
		to:       to,
		public:   public,
		watchers: map[int]func(error){},
	}
}

func (s *stream) network() string                { return s.to.Network }
func (s *stream) host(netip.AddrPort) netip.Addr { return s.from }
func (s *stream) contactPort() uint16            { return s.public }
func (s *stream) link() Link                     { return Link{carrier: s, remote: s.to.Addr} }

func (s *stream) gone() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// usage says whether a call or a transaction uses the connection, and whether it
// has ever delivered a message.
func (s *stream) usage() (used, proven bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.watchers) > 0, s.proven.Load()
}

func (s *stream) watch(f func(error)) func() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		go f(net.ErrClosed)
		return func() {}
	}
	s.serial++
	id := s.serial
	s.watchers[id] = f
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.watchers, id)
	}
}

// write sends whole messages only. A failure leaves the stream in the middle of
// one, so the connection is closed; its reader then tells the watchers.
func (s *stream) write(raw []byte, _ netip.AddrPort) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	err := s.conn.SetWriteDeadline(time.Now().Add(stallLimit))
	if err == nil {
		_, err = s.conn.Write(raw)
	}
	if err != nil {
		s.shut()
	}
	return err
}

func (s *stream) shut() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	conn := s.conn
	if secured, ok := conn.(*tls.Conn); ok {
		conn = secured.NetConn() // which need not wait for a goodbye to be written
	}
	conn.Close()
}

// read hands messages to the layer until the connection ends, then tells those
// who watch it.
func (s *stream) read() {
	err := s.handshake()
	if err == nil {
		err = s.messages()
	}
	s.shut()
	s.layer.forgetStream(s)
	s.mu.Lock()
	watchers := s.watchers
	s.watchers = nil
	s.mu.Unlock()
	for _, f := range watchers {
		f(err)
	}
}

func (s *stream) handshake() error {
	secured, ok := s.conn.(*tls.Conn)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), stallLimit)
	defer cancel()
	if err := secured.HandshakeContext(ctx); err != nil {
		s.layer.log.Warn("sip tls handshake", "peer", s.to.Addr, "error", err)
		return fmt.Errorf("handshake: %w", err)
	}
	return nil
}

// messages reads until the connection ends.
func (s *stream) messages() error {
	var pending []byte
	buf := make([]byte, readBuffer)
	if err := s.await(); err != nil {
		return err
	}
	for {
		n, err := s.conn.Read(buf)
		if n > 0 {
			var bad error
			if pending, bad = s.consume(append(pending, buf[:n]...)); bad != nil {
				return bad
			}
		}
		if err != nil {
			if err = s.quiet(err); err != nil {
				return err
			}
		}
	}
}

// quiet judges an end of reading: that of the time for a connection which calls
// use is none.
func (s *stream) quiet(err error) error {
	if !errors.Is(err, os.ErrDeadlineExceeded) || s.partial {
		return err
	}
	if used, _ := s.usage(); used {
		return s.await()
	}
	return errIdle
}

// await sets the limit for the next message to begin.
func (s *stream) await() error {
	limit := stallLimit
	if s.proven.Load() {
		limit = s.layer.cfg.Idle
	}
	return s.conn.SetReadDeadline(time.Now().Add(limit))
}

// consume takes whole messages off the front and returns the rest. That is not
// searched twice: a peer that dribbles must not cost more than it sends.
func (s *stream) consume(data []byte) ([]byte, error) {
	for {
		if len(data) < s.length {
			return data, nil
		}
		data = s.keepAlive(data)
		n, err := frame(data, s.searched, s.layer.cfg.MaxMessage)
		s.searched, s.length = 0, 0
		switch err {
		case nil:
		case errNoEnd:
			s.searched = len(data)
			return data, s.expectMore(len(data) > 0)
		case errPartial:
			s.length = n
			return data, s.expectMore(true)
		default:
			s.layer.unframed(data, s.link(), err)
			return nil, err
		}
		s.proven.Store(true)
		s.layer.datagram(data[:n], s.link())
		data = data[n:]
		s.partial = false
		if err := s.await(); err != nil {
			return nil, err
		}
		if len(data) == 0 {
			return nil, nil
		}
	}
}

// expectMore sets the limit for the rest of a message when it begins, so that a
// peer that trickles gains nothing.
func (s *stream) expectMore(partial bool) error {
	if partial == s.partial {
		return nil
	}
	s.partial = partial
	if partial {
		return s.conn.SetReadDeadline(time.Now().Add(stallLimit))
	}
	return s.await()
}

// keepAlive skips line ends between messages and answers the double one that
// asks for a sign of life (RFC 5626 section 3.5.1).
func (s *stream) keepAlive(data []byte) []byte {
	for len(data) >= 2 && data[0] == '\r' && data[1] == '\n' {
		if len(data) >= 4 && data[2] == '\r' && data[3] == '\n' {
			s.proven.Store(true)
			_ = s.write([]byte("\r\n"), s.to.Addr)
			data = data[2:]
		}
		data = data[2:]
	}
	return data
}

// limitUnacknowledged is how long what was sent may stay without an
// acknowledgement before the connection is given up (RFC 5482).
func limitUnacknowledged(tcp *net.TCPConn, d time.Duration) {
	const userTimeout = 18 // TCP_USER_TIMEOUT
	raw, err := tcp.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, userTimeout, int(d.Milliseconds()))
	})
}
