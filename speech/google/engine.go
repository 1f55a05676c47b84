package google

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/googleapis/gax-go/v2"
	"github.com/prometheus/client_golang/prometheus"

	"mcp/speech"
)

// Engine opens sessions with the services. It is a prometheus.Collector.
type Engine struct {
	config Config
	log    *slog.Logger
	counts counts

	mu       sync.Mutex // guards what follows
	accounts map[string]*account
	closed   bool
}

var (
	_ speech.Attacher      = (*Engine)(nil)
	_ prometheus.Collector = (*Engine)(nil)
)

// New makes an engine and reads its credentials, those of tenants excepted. The
// configuration must be valid. Close must be called.
func New(c Config, log *slog.Logger) (*Engine, error) {
	c = c.withDefaults()
	e := &Engine{config: c, log: log, counts: newCounts(c.Name), accounts: map[string]*account{}}
	if _, err := e.account(""); err != nil {
		return nil, err
	}
	return e, nil
}

// Attach implements speech.Attacher. The services know no sessions: nothing is sent.
func (e *Engine) Attach(_ context.Context, line speech.Line) (speech.Session, error) {
	a, err := e.account(line.Party().Tenant)
	if err != nil {
		return nil, e.failed(classConfig, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &session{engine: e, account: a, line: line, ctx: ctx, cancel: cancel}, nil
}

// Close ends the connections. Sessions are to be closed before.
func (e *Engine) Close() (err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	for file, a := range e.accounts {
		err = errors.Join(err, a.close())
		delete(e.accounts, file)
	}
	return err
}

// failed classifies and counts an error.
func (e *Engine) failed(doing class, err error) error {
	err = fault(doing, err)
	var f *Fault
	if errors.As(err, &f) {
		e.counts.errors.WithLabelValues(f.Class).Inc()
	}
	return err
}

// persist tries until it succeeds, fails for good, or there is no time for another
// try: until the end of ctx, or the budget from the first failure on.
func (e *Engine) persist(ctx context.Context, try func(context.Context) error) error {
	pause := gax.Backoff{Initial: 100 * time.Millisecond, Max: 2 * time.Second, Multiplier: 2}
	deadline, limited := ctx.Deadline()
	for {
		err := try(ctx)
		if err == nil || !passing(err) {
			return err
		}
		if !limited {
			deadline, limited = time.Now().Add(e.config.Budget), true
		}
		wait := pause.Pause()
		if time.Until(deadline) < wait {
			return err
		}
		e.counts.retries.Inc()
		if gax.Sleep(ctx, wait) != nil {
			return err
		}
	}
}

// session is a call's use of the services.
type session struct {
	engine  *Engine
	account *account
	line    speech.Line
	ctx     context.Context // ends with the session
	cancel  context.CancelFunc
	tasks   sync.WaitGroup
}

var _ speech.Session = (*session)(nil)

// Media implements speech.Session.
func (s *session) Media() speech.Media { return speech.Media{} }

// Done implements speech.Session.
func (s *session) Done() <-chan struct{} { return s.ctx.Done() }

// Close implements speech.Session.
func (s *session) Close(context.Context) error {
	s.cancel()
	s.tasks.Wait()
	return nil
}

// counts are the engine's metrics.
type counts struct {
	errors, requests *prometheus.CounterVec
	retries          prometheus.Counter
	firstAudio       prometheus.Histogram
}

func newCounts(name string) counts {
	labels := prometheus.Labels{"engine": name}
	c := counts{
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mcp_speech_google_errors_total", ConstLabels: labels,
			Help: "Errors of Google's speech services by class.",
		}, []string{"class"}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mcp_speech_google_requests_total", ConstLabels: labels,
			Help: "Syntheses and recognitions asked of Google; kept are prompts that were known.",
		}, []string{"what"}),
		retries: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "mcp_speech_google_retries_total", ConstLabels: labels, Help: "Requests to Google that were tried again.",
		}),
		firstAudio: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "mcp_speech_google_first_audio_seconds", ConstLabels: labels,
			Help:    "Time until the first audio of a synthesis arrived.",
			Buckets: []float64{.05, .1, .2, .3, .5, .75, 1, 1.5, 2, 3, 5, 10},
		}),
	}
	for _, class := range classes() {
		c.errors.WithLabelValues(string(class))
	}
	for _, what := range []string{"synthesize", "stream", "kept", "recognize"} {
		c.requests.WithLabelValues(what)
	}
	return c
}

func (c counts) all() []prometheus.Collector {
	return []prometheus.Collector{c.errors, c.requests, c.retries, c.firstAudio}
}

// Describe implements prometheus.Collector.
func (e *Engine) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range e.counts.all() {
		c.Describe(ch)
	}
}

// Collect implements prometheus.Collector.
func (e *Engine) Collect(ch chan<- prometheus.Metric) {
	for _, c := range e.counts.all() {
		c.Collect(ch)
	}
}
