package media

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"mcp/control/media/clock"
	"mcp/control/media/ports"
	"mcp/control/media/report"
)

// ErrPortTaken is what a Plane answers when another holds the local port.
var ErrPortTaken = errors.New("local port is taken")

// ErrFarEnd says that a far end is nowhere that a call's audio may go.
var ErrFarEnd = errors.New("far end is refused")

// Config is what an operator can set about media.
type Config struct {
	PortMin, PortMax uint16        // the RTP range; 20000 to 45000 when both are zero
	ReportInterval   time.Duration // between a leg's RTCP reports; 5 s when zero
	DSCP             uint8         // of what is sent, RFC 2474
	// Suppress sends silence in audio from userspace, such as a mixer's, as comfort noise
	// to far ends that have agreed to that.
	Suppress bool
	// Secure is a second plane, for the legs that use SRTP, where the engine's own plane
	// has none. Nil: it has, or no leg uses SRTP. The engine does not close it.
	Secure Plane
}

// Engine opens the media of calls on one plane.
type Engine struct {
	plane  Plane
	apart  Plane // for legs that plane cannot protect; nil: it can
	clock  *clock.Clock
	log    *slog.Logger
	ports  *ports.Pool
	pacer  *pacer
	tally  *tally
	stop   sync.Once
	dscp   uint8
	hushed bool // Config.Suppress
	host   ports.Host

	reporter *reporter
	vigil    *vigil
	pouring  sync.WaitGroup // supplies, into what is played
}

// NewEngine makes an Engine. Close it after the calls, before the plane.
func NewEngine(c Config, plane Plane, log *slog.Logger) (*Engine, error) {
	if c.PortMin == 0 && c.PortMax == 0 {
		c.PortMin, c.PortMax = 20000, 45000
	}
	pool, err := ports.New(c.PortMin, c.PortMax)
	if err != nil {
		return nil, err
	}
	if c.ReportInterval <= 0 {
		c.ReportInterval = reportInterval
	}
	host, err := ports.NewHost(pool)
	if err != nil {
		return nil, err
	}
	return &Engine{
		dscp: c.DSCP, hushed: c.Suppress, host: host, apart: c.Secure,
		plane: plane, clock: clock.New(), log: log, ports: pool, tally: newTally(),
		pacer: newPacer(), reporter: newReporter(c.ReportInterval), vigil: newVigil(plane),
	}, nil
}

// NewSession begins the media of a call; id is for the log.
func (e *Engine) NewSession(id string) *Session {
	return &Session{engine: e, call: id, cname: newCNAME()}
}

// Clock paces what userspace does with audio: conferences, recorders.
func (e *Engine) Clock() *clock.Clock { return e.clock }

// check refuses far ends that no leg at a local address may send to. A muted one
// is none.
func (e *Engine) check(f FarEnd, local netip.Addr) error {
	if !f.RTP.IsValid() {
		return nil
	}
	if err := e.host.Check(local, f.RTP, f.RTCP); err != nil {
		return fmt.Errorf("%w: %w", ErrFarEnd, err)
	}
	return nil
}

// play begins a playback: the plane plays it, or else the pacer does.
func (e *Engine) play(b *Playback) {
	to, ok := e.plane.(Player)
	if ok && !b.leg.carrier.Load().apart && len(b.leg.monitors.all()) == 0 && b.entrust(to, func(err error) { e.pacer.finish(b, err) }) {
		return
	}
	e.pacer.add(b)
}

// release ends a leg and gives its port back.
func (e *Engine) release(l *Leg) (Summary, error) {
	e.vigil.forget(l)
	e.reporter.remove(l)
	stats, err := l.carrier.Load().Close(l.goodbye)
	l.unhush()
	e.ports.Give(l.local.Port())
	summary := Summary{Name: l.name, Codec: l.spoken(), Stats: stats, SSRC: l.ssrc}
	summary.Protection, summary.Keys = l.protection()
	far, _ := l.FarReport()
	summary.Received = report.Received(stats.RxPackets, stats.RxLost, stats.RxJitter, far.RoundTrip)
	summary.Sent = report.Sent(stats.TxPackets, far)
	if s := l.state.Load(); s != nil {
		summary.Remote = s.far.RTP
	}
	e.tally.closed(l, summary)
	return summary, err
}

// newCNAME names a session's streams as those of one participant, for as long as
// it lasts (RFC 7022 section 5).
func newCNAME() string {
	var random [12]byte
	rand.Read(random[:]) // never fails
	return base64.StdEncoding.EncodeToString(random[:])
}

// Close stops what is still being played and reported.
func (e *Engine) Close() error {
	e.stop.Do(func() {
		e.pacer.close()
		e.pouring.Wait()
		e.reporter.close()
		e.vigil.close()
		e.clock.Close()
	})
	return nil
}

// FreePorts is how many legs could be opened now.
func (e *Engine) FreePorts() int { return e.ports.Size() - e.ports.Used() }
