package reporting

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"mcp/control/reporting/journal"
)

// Config bounds the journal of call records.
type Config = journal.Config

// Journal is a journal of call records open for writing.
type Journal = journal.Journal

// Open opens the journal of call records in a directory.
func Open(dir string, config Config, log *slog.Logger) (*Journal, error) {
	return journal.Open(dir, config, log)
}

// Recorder makes call records durable. It is a prometheus.Collector.
type Recorder struct {
	journal *Journal
	written prometheus.Counter
	failed  prometheus.Counter
}

// NewRecorder makes a Recorder that appends to a journal, which stays the caller's.
func NewRecorder(j *Journal) *Recorder {
	return &Recorder{
		journal: j,
		written: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "mcp_call_records_written_total", Help: "Call records made durable.",
		}),
		failed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "mcp_call_records_failed_total", Help: "Call records that could not be made durable.",
		}),
	}
}

// Record returns once the record is durable.
func (r *Recorder) Record(ctx context.Context, rec *Record) error {
	b, err := encode(rec)
	if err == nil {
		_, err = r.journal.Append(ctx, b)
	}
	if err != nil {
		r.failed.Inc()
		return fmt.Errorf("record call %s: %w", rec.ID, err)
	}
	r.written.Inc()
	return nil
}

// Check tells whether records can be written, for a health check.
func (r *Recorder) Check(context.Context) error { return r.journal.Err() }

// Describe implements prometheus.Collector.
func (r *Recorder) Describe(ch chan<- *prometheus.Desc) {
	r.written.Describe(ch)
	r.failed.Describe(ch)
}

// Collect implements prometheus.Collector.
func (r *Recorder) Collect(ch chan<- prometheus.Metric) {
	r.written.Collect(ch)
	r.failed.Collect(ch)
}

// encode writes wall-clock times in UTC and leaves the record as it is: turning
// a time to UTC drops its monotonic reading.
func encode(rec *Record) ([]byte, error) {
	c := *rec
	c.StartedAt, c.EndedAt = c.StartedAt.UTC(), c.EndedAt.UTC()
	if c.AnsweredAt != nil {
		at := c.AnsweredAt.UTC()
		c.AnsweredAt = &at
	}
	b, err := json.Marshal(&c)
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	return b, nil
}

// Stored is a record in a journal.
type Stored struct {
	Record *Record
	JSON   []byte           // as it was written, with fields of later schemas
	Next   journal.Position // where reading goes on after it
}

// Read iterates over the call records in a journal's directory from a position
// on, while the platform may be writing it. Damage (a *journal.DamageError) and
// a record that cannot be decoded are yielded as errors, and the iteration goes
// on behind them.
func Read(dir string, from journal.Position) iter.Seq2[Stored, error] {
	return func(yield func(Stored, error) bool) {
		for e, err := range journal.Read(dir, from) {
			s := Stored{JSON: e.Data, Next: e.Next}
			if err == nil {
				s.Record, err = decode(e)
			}
			if !yield(s, err) {
				return
			}
		}
	}
}

func decode(e journal.Entry) (*Record, error) {
	var rec Record
	if err := json.Unmarshal(e.Data, &rec); err != nil {
		return nil, fmt.Errorf("record at %s: %w", e.At, err)
	}
	return &rec, nil
}
