// Package delivery takes records from a journal to a message broker: over
// OpenWire, STOMP or AMQP 1.0, in batches, each confirmed by the broker before
// the journal hears of it. A record is delivered at least once; one that comes
// twice has the same identifier. What cannot be delivered stays in the journal.
package delivery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"mcp/control/reporting/journal"
)

const (
	// noteInterval is how often at most it is written down how far delivery has come.
	noteInterval = time.Second
	// remindInterval is how often it is logged that records wait.
	remindInterval = time.Minute
	// farewell bounds the sending of what is left when the platform stops.
	farewell = 2 * time.Second
)

// Pump delivers the records of one journal, in their order. It is a
// prometheus.Collector.
type Pump struct {
	config  Config
	targets []target
	journal Journal
	log     *slog.Logger
	metrics *metrics
	stream  *stream

	dial func(context.Context) (Link, error) // a broker

	link    Link
	current int       // target of the link, or the next to be tried
	batch   int       // how many records are sent together: less after failures
	noted   time.Time // when the journal last heard of progress
	since   time.Time // of failures without a success between; zero: none
	told    time.Time // when it was last logged that records wait
}

// New makes a Pump for a journal, whose name its metrics have.
func New(config Config, name string, j Journal, log *slog.Logger) (*Pump, error) {
	config = config.withDefaults()
	p := &Pump{config: config, journal: j, log: log.With("journal", name), metrics: newMetrics(name, func() int64 { return j.Usage().Appended }), batch: config.Batch}
	for _, b := range config.Brokers {
		t, err := parseTarget(b, &p.config)
		if err != nil {
			return nil, err
		}
		p.targets = append(p.targets, t)
	}
	if len(p.targets) == 0 {
		return nil, errors.New("no broker to deliver records to")
	}
	p.dial = p.connect
	p.stream = &stream{config: &p.config, journal: j, log: p.log, broken: p.metrics.broken.Inc}
	return p, nil
}

// Run delivers until ctx ends. What is in the journal then and can be sent in
// two seconds is sent.
func (p *Pump) Run(ctx context.Context) {
	defer p.hangUp()
	defer p.stream.close()
	p.resume()
	for {
		messages := p.stream.batch()
		if len(messages) > 0 {
			if !p.insist(ctx, messages) {
				return
			}
			p.note(false)
			continue
		}
		p.note(true)
		p.metrics.waiting(time.Time{})
		if !p.idle(ctx) {
			p.finish()
			return
		}
	}
}

// idle returns once there may be more to deliver, or false when ctx ended. A connection
// that ends meanwhile is given up; the next is made when there is something to send.
func (p *Pump) idle(ctx context.Context) bool {
	if p.link == nil {
		return p.stream.wait(ctx, p.config.MinWait)
	}
	waiting, enough := context.WithCancel(ctx)
	var watch sync.WaitGroup
	watch.Go(func() {
		defer enough()
		select {
		case <-p.link.Done():
		case <-waiting.Done():
		}
	})
	more := p.stream.wait(waiting, p.config.MinWait)
	enough()
	watch.Wait()
	select {
	case <-p.link.Done():
		p.log.Info("connection to broker has ended", "broker", p.targets[p.current].String())
		p.hangUp()
		return more || ctx.Err() == nil
	default:
		return more
	}
}

// resume goes on where an earlier process has stopped.
func (p *Pump) resume() {
	from, err := p.journal.Delivered()
	if err != nil {
		p.log.Warn("it is not known what was delivered: everything is delivered again", "error", err)
	}
	p.stream.from = from
	n := -p.journal.Usage().Appended // they are counted as they come
	for _, err := range p.journal.Read(from) {
		if err == nil {
			n++
		}
	}
	p.metrics.found(n)
	if n > 0 {
		p.log.Info("records wait to be delivered", "records", n)
	}
}

// insist sends messages until the broker has confirmed them; false: ctx ended first.
func (p *Pump) insist(ctx context.Context, messages []Message) bool {
	p.metrics.waiting(messages[0].Time)
	wait := p.config.MinWait
	for len(messages) > 0 {
		n := min(p.batch, len(messages))
		err := p.send(ctx, messages[:n])
		if err == nil {
			p.succeeded()
			messages, wait = messages[n:], p.config.MinWait
			continue
		}
		if ctx.Err() != nil {
			return false
		}
		p.failed(err)
		// Not all platforms are to come back at the same moment.
		pause := wait/2 + rand.N(wait/2+1)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return false
		}
		wait = min(2*wait, p.config.MaxWait)
	}
	return true
}

// send sends messages to the broker that is connected, or to the first that can be.
func (p *Pump) send(ctx context.Context, messages []Message) error {
	if p.link == nil {
		link, err := p.dial(ctx)
		if err != nil {
			return err
		}
		p.link = link
		p.metrics.connected.Set(1)
	}
	ctx, cancel := context.WithTimeout(ctx, 2*p.config.Timeout)
	defer cancel()
	start := time.Now()
	if err := p.link.Send(ctx, messages); err != nil {
		p.hangUp()
		p.current = (p.current + 1) % len(p.targets)
		return err
	}
	p.metrics.sent(len(messages), time.Since(start))
	return nil
}

// connect tries every broker once, from the current one on.
func (p *Pump) connect(ctx context.Context) (Link, error) {
	var all []error
	for range p.targets {
		t := p.targets[p.current]
		link, err := t.dial(ctx)
		if err == nil {
			p.log.Info("connected to broker", "broker", t.String())
			return link, nil
		}
		all = append(all, fmt.Errorf("%s: %w", t, err))
		p.current = (p.current + 1) % len(p.targets)
		if ctx.Err() != nil {
			break
		}
	}
	return nil, errors.Join(all...)
}

func (p *Pump) hangUp() {
	if p.link == nil {
		return
	}
	if err := p.link.Close(); err != nil {
		p.log.Debug("close connection to broker", "error", err)
	}
	p.link = nil
	p.metrics.connected.Set(0)
}

// failed counts a failure and tells of it, but not each time. What is sent next
// is little: a record that the broker refuses then holds up none before it.
func (p *Pump) failed(err error) {
	p.metrics.failures.Inc()
	p.batch = max(1, p.batch/8)
	now := time.Now()
	if p.since.IsZero() {
		p.since = now
	}
	if now.Sub(p.told) < remindInterval {
		return
	}
	p.told = now
	p.log.Error("records wait for the broker", "since", p.since.Format(time.RFC3339), "records", p.metrics.backlog(), "error", err)
}

func (p *Pump) succeeded() {
	p.batch = min(p.config.Batch, 4*p.batch)
	if !p.since.IsZero() {
		p.log.Info("records are delivered again", "after", time.Since(p.since).Round(time.Millisecond).String())
	}
	p.since, p.told = time.Time{}, time.Time{}
}

// note has the journal know how far delivery has come: now and then, since what
// it does not know is only delivered once more.
func (p *Pump) note(now bool) {
	at := p.stream.from
	if !now && time.Since(p.noted) < noteInterval || p.noted.IsZero() && at == (journal.Position{}) {
		return
	}
	if err := p.journal.SetDelivered(at); err != nil {
		p.log.Warn("progress cannot be written down", "error", err)
	}
	p.noted = time.Now()
}

// finish sends what was written while the platform stopped.
func (p *Pump) finish() {
	ctx, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	for ctx.Err() == nil {
		messages := p.stream.batch()
		if len(messages) == 0 {
			break
		}
		if !p.insist(ctx, messages) {
			return
		}
	}
	p.note(true)
}

// Waiting is how many records no broker has confirmed.
func (p *Pump) Waiting() int64 { return p.metrics.backlog() }

// Confirmed is how many records a broker has confirmed since the start.
func (p *Pump) Confirmed() int64 { return p.metrics.confirmed() }

// Describe implements prometheus.Collector.
func (p *Pump) Describe(ch chan<- *prometheus.Desc) { p.metrics.describe(ch) }

// Collect implements prometheus.Collector.
func (p *Pump) Collect(ch chan<- prometheus.Metric) { p.metrics.collect(ch) }
