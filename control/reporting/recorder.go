package reporting

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"mcp/control/reporting/journal"
)

// Journal is a journal of records open for writing.
type Journal = journal.Journal

// reportsDir is the folder of the second journal, in that of the first.
const reportsDir = "reports"

// Config is what can be chosen about records. The zero value of a field stands
// for the default beside it.
type Config struct {
	// Component is the platform's own name in its records.
	Component string
	// Calls bounds the journal of calls and custom events, Reports that of
	// operational reports and call traces.
	Calls, Reports journal.Config
	// Trace records the steps of calls too.
	Trace bool
	// Watcher sees all that is recorded of calls, and their steps; nil: nobody does.
	Watcher Watcher
	// Interval is what operational reports tell of. 5 min; negative: there are none.
	Interval time.Duration
	// Patience is for how long after Stopping records wait for a journal that
	// cannot be written. 30 s.
	Patience time.Duration
}

// Watcher is shown what becomes of calls. Its methods, and what Begun returns, may be
// called at once from many goroutines, must not block and keep nothing of a record, or
// an event, after they return.
type Watcher interface {
	// Begun returns what the events of the call are to be shown to; nil: nothing.
	Begun(r *Record) (happened func(*Event))
	Ended(r *Record)
}

func (c Config) withDefaults() Config {
	if c.Interval == 0 {
		c.Interval = 5 * time.Minute
	}
	if c.Patience == 0 {
		c.Patience = 30 * time.Second
	}
	return c
}

// Recorder makes records durable: those of calls and what applications log in
// one journal, operational reports and traces, which matter less, in another, so
// that neither crowds out the other. It is a prometheus.Collector.
type Recorder struct {
	config  Config
	log     *slog.Logger
	calls   *Journal
	reports *Journal
	billing *lane // to calls
	rest    *lane // to reports
	roster  *roster
	tally   *tally
	metrics *metrics

	stop      chan struct{}
	tasks     sync.WaitGroup
	drainOnce sync.Once
	stopOnce  sync.Once
}

// Open opens the journals in a directory, which it makes when there is none.
func Open(dir string, config Config, log *slog.Logger) (*Recorder, error) {
	config = config.withDefaults()
	calls, err := journal.Open(dir, config.Calls, log)
	if err != nil {
		return nil, err
	}
	reports, err := journal.Open(filepath.Join(dir, reportsDir), config.Reports, log)
	if err != nil {
		return nil, errors.Join(err, calls.Close())
	}
	roster, interrupted, err := openRoster(filepath.Join(dir, rosterDir), calls, log)
	if err != nil {
		return nil, errors.Join(err, calls.Close(), reports.Close())
	}
	r := &Recorder{
		config: config, log: log, calls: calls, reports: reports, roster: roster,
		tally: newTally(time.Now()), stop: make(chan struct{}),
	}
	r.metrics = newMetrics(r)
	r.billing = newLane(&lane{journal: calls, log: log, lost: r.metrics.loss, kept: roster.release})
	r.rest = newLane(&lane{journal: reports, log: log, lost: r.metrics.loss, drops: true})
	if config.Interval > 0 {
		r.tasks.Go(r.reportIntervals)
	}
	for _, rec := range interrupted {
		r.tasks.Go(func() { r.recordInterrupted(rec) })
	}
	return r, nil
}

// recordInterrupted makes the record of a call durable that an earlier process
// did not live to end.
func (r *Recorder) recordInterrupted(rec *Record) {
	if err := r.Record(context.Background(), rec); err != nil {
		r.log.Error("the record of an interrupted call could not be kept", "record", rec, "error", err)
	}
}

// Calls is the journal of calls and custom events, Reports the other; both are
// for reading and delivering.
func (r *Recorder) Calls() *Journal { return r.calls }

// Reports is the journal of operational reports and traces.
func (r *Recorder) Reports() *Journal { return r.reports }

// ErrScarce says that so much is still to be delivered that room is kept for the
// calls that are up.
var ErrScarce = errors.New("journal of call records is nearly full")

// Check tells whether the records of further calls can be kept. When it fails,
// calls should go elsewhere.
func (r *Recorder) Check(context.Context) error {
	if err := r.calls.Err(); err != nil {
		return err
	}
	if u := r.calls.Usage(); u.Scarce {
		return fmt.Errorf("%w: %d bytes of %d", ErrScarce, u.Bytes, u.Limit)
	}
	return nil
}

// Begin completes the record of a call that has just come, and makes the trail
// of its events.
func (r *Recorder) Begin(rec *Record) *Trail {
	rec.Component = r.config.Component
	r.roster.hold(rec)
	t := &Trail{recorder: r, start: rec.StartedAt, event: Event{Head: rec.Head, Call: rec.ID}}
	t.event.ID = "" // who keeps an event names it
	if r.config.Watcher != nil {
		t.show = r.config.Watcher.Begun(rec)
	}
	return t
}

// Serve counts a call whose application is known.
func (r *Recorder) Serve(rec *Record) {
	rec.Application = withoutQuery(rec.Application)
	r.tally.begin(rec)
}

// Answered notes that a call is up, so that it has a record even if the process dies.
func (r *Recorder) Answered(rec *Record) { r.roster.hold(rec) }

// withoutQuery leaves out of a URL what may be private in it.
func withoutQuery(url string) string {
	url, _, _ = strings.Cut(url, "?")
	return shorten(url, maxURI)
}

// Record returns once the record of a call is durable, and with it the custom
// events of the call. While the journal cannot be written it waits.
func (r *Recorder) Record(ctx context.Context, rec *Record) error {
	start := time.Now()
	if r.config.Watcher != nil {
		r.config.Watcher.Ended(rec)
	}
	r.tally.end(rec)
	if err := r.await(ctx, rec); err != nil {
		r.metrics.failed.Inc()
		return fmt.Errorf("record call %s: %w", rec.ID, err)
	}
	r.metrics.calls.Inc()
	r.metrics.durable.Observe(time.Since(start).Seconds())
	return nil
}

func (r *Recorder) await(ctx context.Context, rec *Record) error {
	out, err := r.billing.put(ctx, parcel{kind: KindCall, call: rec.ID}, func(e *encoder) { e.stored(rec) })
	if err != nil {
		return err
	}
	select {
	case <-out.done:
		return out.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// keep takes an event from a trail.
func (r *Recorder) keep(v Event) {
	to := r.billing
	if v.Kind == KindTrace {
		to = r.rest
	}
	v.ID, v.At = newID(), v.At.UTC()
	r.put(to, v.Kind, func(e *encoder) { e.event(&v) })
}

// put hands a record to a lane that nobody waits for.
func (r *Recorder) put(to *lane, kind Kind, encode func(*encoder)) {
	out, err := to.put(context.Background(), parcel{kind: kind}, encode)
	switch {
	case err != nil:
		r.log.Error("record lost", "kind", kind, "error", err)
		r.metrics.loss(kind, 1)
	case out != nil:
		r.metrics.written.WithLabelValues(string(kind)).Inc()
	}
}

// reportIntervals writes operational reports at the wall clock's round times.
func (r *Recorder) reportIntervals() {
	for {
		now := time.Now()
		next := now.Truncate(r.config.Interval).Add(r.config.Interval)
		select {
		case <-time.After(next.Sub(now)):
			r.report()
		case <-r.stop:
			r.report() // what was counted of the last interval
			return
		}
	}
}

func (r *Recorder) report() {
	for _, o := range r.tally.report(time.Now()) {
		o.Component = r.config.Component
		r.put(r.rest, KindOperations, func(e *encoder) { e.other(o) })
	}
}

// Stopping bounds from now on how long records wait for a failing journal.
func (r *Recorder) Stopping() {
	r.stopOnce.Do(func() {
		r.tasks.Go(func() {
			select {
			case <-time.After(r.config.Patience):
			case <-r.stop:
			}
			close(r.billing.giveUp)
		})
	})
}

// Drain writes what is still waiting and takes no more. It is idempotent.
func (r *Recorder) Drain() {
	r.drainOnce.Do(func() {
		r.Stopping()
		close(r.stop)
		r.tasks.Wait()
		r.billing.close()
		r.rest.close()
		r.roster.drain()
	})
}

// Close drains the recorder and closes the journals. It is idempotent.
func (r *Recorder) Close() error {
	r.Drain()
	return errors.Join(r.calls.Close(), r.reports.Close(), r.roster.journal.Close())
}

// Describe implements prometheus.Collector.
func (r *Recorder) Describe(ch chan<- *prometheus.Desc) { r.metrics.describe(ch) }

// Collect implements prometheus.Collector.
func (r *Recorder) Collect(ch chan<- prometheus.Metric) { r.metrics.collect(ch) }

// forStorage is a copy of a record with wall-clock times in UTC, and with nothing
// that would make it too large. The record itself keeps the monotonic readings.
func forStorage(rec *Record) Record {
	c := *rec
	c.Application = withoutQuery(c.Application)
	c.StartedAt, c.EndedAt = c.StartedAt.UTC(), c.EndedAt.UTC()
	if c.AnsweredAt != nil {
		at := c.AnsweredAt.UTC()
		c.AnsweredAt = &at
	}
	c.End.Error = shorten(c.End.Error, maxText)
	c.Dialogue, c.End = c.Dialogue.bounded(), c.End.bounded()
	return c
}
