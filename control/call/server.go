package call

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"time"

	"mcp/control/admission"
	"mcp/control/call/progress"
	"mcp/control/call/secure"
	"mcp/control/call/stack"
	"mcp/control/logline"
	"mcp/control/media"
	"mcp/control/reporting"
	"mcp/control/sdp"
	"mcp/control/sip"
	"mcp/control/sip/genesys"
	"mcp/control/sip/header"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
)

const (
	defaultEvents = 101
	defaultPtime  = 20 * time.Millisecond
)

// Config is what an operator can set about calls. The zero value of a field
// stands for the default beside it.
type Config struct {
	// Max is how many calls are served at once; more are refused. 0: no limit but ports.
	Max int
	// Overload says how they are refused, and what else bounds new calls.
	Overload Overload
	// Codecs are what is offered and accepted, the preferred one first. PCMU and PCMA.
	Codecs []sdp.Codec
	// Noise adds comfort noise (RFC 3389) to what is offered and accepted.
	Noise bool
	// MediaAddress is the local address of callers' media. Zero: where signalling arrives.
	MediaAddress netip.Addr
	// Latch is for how long a caller's true media address may be learned from its
	// audio (symmetric RTP). Zero: it is where SDP says.
	Latch time.Duration
	// SRTP says whether and how callers' audio is protected.
	SRTP secure.Policy
	// MediaTimeout is how long a caller's audio may stay away, HoldTimeout while it
	// was agreed that none comes. Zero: for ever.
	MediaTimeout, HoldTimeout time.Duration
	// Overrides are the options of the configuration, as "section.option" or
	// "section.*", that the sender of a call may set for it in its Request-URI. None.
	Overrides []string
	// ParentHeader names, in lower case, the header of an INVITE whose trace context
	// (a traceparent of W3C Trace Context) the call's trace is to continue. None.
	ParentHeader string
	// PrepareTime bounds the time between INVITE and answer. 30 s.
	PrepareTime time.Duration
	// Grace is how long a program may go on after the far end has hung up. 10 s.
	Grace time.Duration
}

func (c Config) withDefaults() Config {
	if len(c.Codecs) == 0 {
		c.Codecs = []sdp.Codec{
			{Name: "PCMU", PayloadType: 0, ClockRate: 8000},
			{Name: "PCMA", PayloadType: 8, ClockRate: 8000},
		}
	}
	c.Overload = c.Overload.withDefaults()
	if c.PrepareTime == 0 {
		c.PrepareTime = 30 * time.Second
	}
	if c.Grace == 0 {
		c.Grace = 10 * time.Second
	}
	return c
}

// Recorder keeps the calls' records.
type Recorder interface {
	// Check fails when the records of further calls could not be kept.
	Check(ctx context.Context) error
	// Begin is told of a call that has come, Serve of one whose application is
	// known, Answered of one that is up.
	Begin(r *reporting.Record) *reporting.Trail
	Serve(r *reporting.Record)
	Answered(r *reporting.Record)
	// Record makes a call's record durable before the call is forgotten.
	Record(ctx context.Context, r *reporting.Record) error
}

// Server turns INVITEs into calls and knows how many are up.
type Server struct {
	config     Config
	engine     *media.Engine
	selector   Selector
	recorder   Recorder
	dialler    Dialler
	recordings []Recordings
	progress   *progress.Lab
	metrics    *metrics
	gate       *gatekeeper
	log        *slog.Logger

	mu sync.Mutex
	up int // calls being served
}

// Parts is what a Server works with.
type Parts struct {
	Engine   *media.Engine
	Selector Selector
	Recorder Recorder
	Dialler  Dialler // nil: calls cannot call others
	// Recordings record whole calls.
	Recordings []Recordings
	// Progress analyses calls that the platform makes. Nil: it does not.
	Progress *progress.Lab
	Metrics  Registerer
	Log      *slog.Logger
}

// NewServer makes a Server.
func NewServer(config Config, p Parts) *Server {
	s := &Server{
		config: config.withDefaults(), engine: p.Engine, selector: p.Selector, recorder: p.Recorder,
		dialler: p.Dialler, recordings: p.Recordings, progress: p.Progress, log: p.Log,
	}
	s.gate = newGatekeeper(s.config)
	s.metrics = newMetrics(p.Metrics, s.Active)
	return s
}

// Invite serves one call from INVITE to record. It is the agent's handler and
// runs on a goroutine of the dialog's own.
func (s *Server) Invite(ctx context.Context, d *sip.Dialog) { s.Serve(ctx, d) }

// Serve serves the call of a dialog and returns when everything is released.
func (s *Server) Serve(ctx context.Context, d Dialog) {
	stack.Deepen()
	c := s.newCall(d)
	if err := s.admit(ctx); err != nil {
		c.log.Warn("call refused", "error", err)
		r := s.gate.refusalFor(admission.TooMany)
		c.warn("refuse call", d.Reject(ctx, r.Status, "", r.Headers))
		return
	}
	defer s.forget()
	logline.Info(c.log, "call offered", slog.String("from", d.RemoteURI()), slog.String("to", d.LocalURI()), slog.Any("peer", d.RemoteHost()))
	c.offered()
	c.run(ctx)
}

func (s *Server) newCall(d Dialog) *Call {
	id := uuid.Must(uuid.NewV7()).String()
	headers := d.Headers()
	known := genesys.Read(headers)
	c := &Call{
		id: id, dialog: d, server: s, session: s.engine.NewSession(id),
		log:    slog.New(s.log.Handler().WithAttrs(identifiers(id, d.CallID(), known))),
		hungUp: make(chan struct{}),
	}
	c.life.within = reporting.WithCall(context.Background(), id)
	c.life.gone, c.life.steps = make(chan struct{}), make(chan step, 1)
	c.life.facts.begin(id, d, known, headers)
	c.life.facts.record.Parent = strings.TrimSpace(header.First(headers, s.config.ParentHeader))
	c.life.facts.record.Attached = s.attached(c.log, known, headers, d.RequestURI())
	return c
}

// identifiers are what every line of a call's log carries: our name for it, SIP's,
// and those of the Resource Manager and SIP Server if they gave it one.
func identifiers(id, sipID string, known genesys.Call) []slog.Attr {
	attrs := []slog.Attr{slog.String("call", id), slog.String("sip_call_id", sipID)}
	if known.Session != "" {
		attrs = append(attrs, slog.String("gvp_session", known.Session))
	}
	if known.CallUUID != "" {
		attrs = append(attrs, slog.String("call_uuid", known.CallUUID))
	}
	return attrs
}

// admit takes a call up unless there are too many, or no record of it could be kept.
func (s *Server) admit(ctx context.Context) error {
	if err := s.recorder.Check(ctx); err != nil {
		s.metrics.unrecorded.Inc()
		return fmt.Errorf("its record could not be kept: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.config.Max > 0 && s.up >= s.config.Max {
		s.metrics.refused.WithLabelValues(admission.TooMany.String()).Inc()
		return fmt.Errorf("%d calls are up", s.up)
	}
	s.up++
	return nil
}

func (s *Server) forget() {
	s.mu.Lock()
	s.up--
	s.mu.Unlock()
	s.gate.left()
}

// Active is the number of calls being served.
func (s *Server) Active() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.up
}

func (s *Server) mediaAddress(signalling netip.Addr) netip.Addr {
	if s.config.MediaAddress.IsValid() {
		return s.config.MediaAddress
	}
	return signalling
}

// Registerer is where metrics are registered; prometheus.Registerer is one.
type Registerer = prometheus.Registerer

// metrics counts calls. Labels come from closed sets, never from the wire.
type metrics struct {
	ended      *prometheus.CounterVec
	refused    *prometheus.CounterVec
	unrecorded prometheus.Counter
	duration   prometheus.Histogram
	setup      prometheus.Histogram
}

func newMetrics(reg Registerer, active func() int) *metrics {
	m := &metrics{
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mcp_calls_ended_total", Help: "Calls that ended, by cause.",
		}, []string{"cause"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mcp_calls_over_limit_total", Help: "Calls refused for want of capacity, by cause.",
		}, []string{"cause"}),
		unrecorded: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "mcp_calls_unrecordable_total", Help: "Calls refused because their records could not be kept.",
		}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "mcp_call_duration_seconds", Help: "From answer to end.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 13),
		}),
		setup: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "mcp_call_setup_seconds", Help: "From INVITE to answer.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 15),
		}),
	}
	up := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "mcp_calls_active", Help: "Calls being served.",
	}, func() float64 { return float64(active()) })
	if reg != nil {
		reg.MustRegister(m.ended, m.refused, m.unrecorded, m.duration, m.setup, up)
	}
	return m
}

func (m *metrics) end(r *reporting.Record) {
	m.ended.WithLabelValues(string(r.End.Cause)).Inc()
	if r.AnsweredAt != nil {
		m.setup.Observe(float64(r.Durations.Setup) / 1000)
		m.duration.Observe(float64(r.Durations.Talk) / 1000)
	}
}
