package wire

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"
)

// stallLimit bounds how long a peer may take to finish a message it began and
// to read what we send it: a connection that stalls longer is closed.
const stallLimit = 10 * time.Second

// stream is one TCP connection, accepted or dialled.
type stream struct {
	layer  *Layer
	conn   net.Conn
	from   netip.AddrPort // ours
	to     netip.AddrPort // the peer's
	public uint16         // port at which the peer can reach us

	writing sync.Mutex

	mu       sync.Mutex
	closed   bool
	watchers map[int]func(error)
	serial   int

	partial bool // a message has begun; of the reader alone
}

func newStream(l *Layer, conn net.Conn, public uint16) *stream {
	return &stream{
		layer:    l,
		conn:     conn,
		from:     unmap(conn.LocalAddr().(*net.TCPAddr).AddrPort()),
		to:       unmap(conn.RemoteAddr().(*net.TCPAddr).AddrPort()),
		public:   public,
		watchers: map[int]func(error){},
	}
}

func (s *stream) network() string       { return "tcp" }
func (s *stream) local() netip.AddrPort { return s.from }
func (s *stream) contactPort() uint16   { return s.public }
func (s *stream) link() Link            { return Link{carrier: s, remote: s.to} }

func (s *stream) gone() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
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
	s.conn.Close()
}

// read hands messages to the layer until the connection ends, then tells those
// who watch it.
func (s *stream) read() {
	err := s.messages()
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

func (s *stream) messages() error {
	var pending []byte
	buf := make([]byte, 8<<10)
	for {
		n, err := s.conn.Read(buf)
		if n > 0 {
			var bad error
			if pending, bad = s.consume(append(pending, buf[:n]...)); bad != nil {
				return bad
			}
		}
		if err != nil {
			return err
		}
	}
}

// consume takes whole messages off the front and returns the rest.
func (s *stream) consume(data []byte) ([]byte, error) {
	for {
		data = s.keepAlive(data)
		n, err := frame(data, s.layer.maxMessage)
		if errors.Is(err, errPartial) {
			return data, s.expectMore(len(data) > 0)
		}
		if err != nil {
			s.layer.unframed(data, s.link(), err)
			return nil, err
		}
		s.layer.datagram(data[:n], s.link())
		data = data[n:]
		if err := s.expectMore(false); err != nil {
			return nil, err
		}
		if len(data) == 0 {
			return nil, nil
		}
	}
}

// expectMore sets the limit for the rest of a message when it begins, so that a
// peer that trickles gains nothing; between messages there is none.
func (s *stream) expectMore(partial bool) error {
	if partial == s.partial {
		return nil
	}
	s.partial = partial
	if partial {
		return s.conn.SetReadDeadline(time.Now().Add(stallLimit))
	}
	return s.conn.SetReadDeadline(time.Time{})
}

// keepAlive skips line ends between messages and answers the double one that
// asks for a sign of life (RFC 5626 section 3.5.1).
func (s *stream) keepAlive(data []byte) []byte {
	for len(data) >= 2 && data[0] == '\r' && data[1] == '\n' {
		if len(data) >= 4 && data[2] == '\r' && data[3] == '\n' {
			_ = s.write([]byte("\r\n"), s.to)
			data = data[2:]
		}
		data = data[2:]
	}
	return data
}
