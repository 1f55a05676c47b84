package media

import (
	"bytes"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mcp/control/media/codec"
	"mcp/control/media/rtpstream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var localhost = netip.MustParseAddr("127.0.0.1")

// recorder is a Plane that carries nothing and remembers what it was told.
type recorder struct {
	mu     sync.Mutex
	taken  map[uint16]bool
	others map[uint16]bool // ports that another process holds
	legs   []*recorded
	full   error
}

func newRecorder() *recorder {
	return &recorder{taken: map[uint16]bool{}, others: map[uint16]bool{}}
}

func (r *recorder) Mode() string   { return "recorder" }
func (r *recorder) Reason() string { return "test" }
func (r *recorder) Close() error   { return nil }

func (r *recorder) Open(c LegConfig) (PlaneLeg, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch port := c.Local.Port(); {
	case r.full != nil:
		return nil, r.full
	case r.taken[port]:
		return nil, errors.New("the engine opened a port twice")
	case r.others[port]:
		return nil, ErrPortTaken
	default:
		r.taken[port] = true
	}
	l := &recorded{plane: r, config: c}
	r.legs = append(r.legs, l)
	return l, nil
}

// recorded is a leg of a recorder.
type recorded struct {
	plane  *recorder
	config LegConfig

	mu      sync.Mutex // guards what follows
	far     FarEnd
	routes  []Route
	sent    []sentPayload
	control [][]byte
	keep    bool  // what is sent
	refuse  error // what everything answers
	closed  int
	stats   LegStats
}

type sentPayload struct {
	Payload
	at time.Time
}

func (l *recorded) Connect(f FarEnd) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.far = f
	return l.refuse
}

func (l *recorded) Route(r Route) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.routes = append(l.routes, r)
	return l.refuse
}

func (l *recorded) Send(p Payload) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refuse == nil && l.keep {
		p.Data = bytes.Clone(p.Data)
		l.sent = append(l.sent, sentPayload{p, time.Now()})
	}
	return l.refuse
}

func (l *recorded) SendRTCP(p []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.control = append(l.control, bytes.Clone(p))
	return nil
}

func (l *recorded) Stats() (LegStats, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stats, nil
}

func (l *recorded) Close(last func(LegStats)) (LegStats, error) {
	if last != nil {
		stats, _ := l.Stats()
		last(stats)
	}
	l.mu.Lock()
	l.closed++
	l.mu.Unlock()
	l.plane.mu.Lock()
	delete(l.plane.taken, l.config.Local.Port())
	l.plane.mu.Unlock()
	return l.Stats()
}

func (l *recorded) refusing(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refuse = err
}

func (l *recorded) all() []sentPayload {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]sentPayload(nil), l.sent...)
}

// hears gives a packet to the leg's receiver as a plane does.
func (l *recorded) hears(h rtpstream.Header, payload []byte) {
	l.config.Receiver.RTP(append(h.Append(nil), payload...), time.Now())
}

// studio is an engine with a recorder under it and one session.
type studio struct {
	testing.TB
	plane   *recorder
	engine  *Engine
	session *Session
}

func newStudio(t testing.TB) *studio {
	t.Helper()
	plane := newRecorder()
	e, err := NewEngine(Config{}, plane, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s := &studio{t, plane, e, e.NewSession("call-1")}
	t.Cleanup(s.close)
	return s
}

// close may be called before the test ends, where time is not real.
func (s *studio) close() {
	s.session.Close()
	s.must(s.engine.Close())
}

func (s *studio) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *studio) open(name string) (*Leg, *recorded) {
	s.Helper()
	l, err := s.session.OpenLeg(name, localhost)
	s.must(err)
	return l, l.carrier.Load().PlaneLeg.(*recorded)
}

func (s *studio) connected(name string, c codec.Codec) (*Leg, *recorded) {
	s.Helper()
	l, p := s.open(name)
	s.must(l.Connect(agreed(c), c))
	p.keep = true
	return l, p
}

func agreed(c codec.Codec) FarEnd {
	return FarEnd{
		RTP: netip.MustParseAddrPort("192.0.2.1:4000"), PayloadType: c.PayloadType, Events: 101,
		ClockRate: c.ClockRate, Ptime: 20 * time.Millisecond, Send: true, Receive: true,
	}
}
