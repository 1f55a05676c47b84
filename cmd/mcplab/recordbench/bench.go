// Package recordbench measures what keeping records costs: how many become
// durable in a second, how long a call waits for its own at its end, and how fast
// a backlog goes to a real broker.
package recordbench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"mcp/cmd/mcplab/bench"
	"mcp/control/reporting"
	"mcp/control/reporting/brokertest"
	"mcp/control/reporting/delivery"
	"mcp/control/reporting/journal"
)

// Options are what a run can be told.
type Options struct {
	Dir      string // where the journals are to be, on the disk to be measured; empty: a temporary folder
	Out      string // folder for reporting.json
	Commit   string
	Backlog  int           // records that wait for the broker
	Duration time.Duration // of each measurement of the journal
	Progress io.Writer
}

const (
	callers   = 256  // calls that end at once when throughput is measured
	arrival   = 1000 // calls that end in a second when latency is measured
	syncs     = 500
	allowance = 10 // milliseconds that a call's end may take beyond the disk's own sync
)

// Run measures everything, prints a table and writes reporting.json.
func Run(ctx context.Context, out io.Writer, o Options) error {
	dir, err := os.MkdirTemp(o.Dir, "recordbench")
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	defer os.RemoveAll(dir)
	b := &run{ctx: ctx, options: o, dir: dir, report: &bench.Report{Machine: bench.ThisMachine(), Commit: o.Commit}}
	for _, step := range []struct {
		what string
		do   func() error
	}{{"the disk's own sync", b.disk}, {"durable records", b.throughput}, {"the end of a call", b.latency}, {"a backlog at the broker", b.backlog}} {
		fmt.Fprintln(o.Progress, "measuring", step.what)
		if err := step.do(); err != nil {
			return fmt.Errorf("measure %s: %w", step.what, err)
		}
	}
	return errors.Join(bench.Save(o.Out, "reporting.json", b.report), b.report.Print(out))
}

type run struct {
	ctx     context.Context
	options Options
	dir     string
	fsync   float64 // 99th percentile of the disk's own, in milliseconds
	report  *bench.Report
}

func (b *run) add(r bench.Result) { b.report.Results = append(b.report.Results, r) }

// disk measures what one record costs without any of this: written to the end of
// a file and synced.
func (b *run) disk() error {
	f, err := os.Create(filepath.Join(b.dir, "plain"))
	if err != nil {
		return err
	}
	defer f.Close()
	record := make([]byte, 1500)
	var took []float64
	for range syncs {
		start := time.Now()
		if _, err := f.Write(record); err != nil {
			return err
		}
		if err := f.Sync(); err != nil {
			return err
		}
		took = append(took, milliseconds(time.Since(start)))
	}
	b.fsync = percentile(took, 99)
	b.add(bench.Result{Name: "disk.write_fsync_p50_ms", Value: percentile(took, 50), Unit: "ms"})
	b.add(bench.Result{Name: "disk.write_fsync_p99_ms", Value: b.fsync, Unit: "ms"})
	return nil
}

func (b *run) open(name string) (*reporting.Recorder, error) {
	quiet := slog.New(slog.DiscardHandler)
	return reporting.Open(filepath.Join(b.dir, name), reporting.Config{Calls: journal.Config{KeepBytes: -1}, Interval: -1}, quiet)
}

// throughput has many calls end again and again.
func (b *run) throughput() error {
	r, err := b.open("throughput")
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	var done, failed atomic.Int64
	start := time.Now()
	for worker := range callers {
		wg.Go(func() {
			for i := 0; time.Since(start) < b.options.Duration; i++ {
				rec := call(fmt.Sprintf("%d-%d", worker, i))
				up(r, rec)
				if r.Record(b.ctx, rec) != nil {
					failed.Add(1)
					return
				}
				done.Add(1)
			}
		})
	}
	wg.Wait()
	took := time.Since(start)
	if n := failed.Load(); n > 0 {
		return errors.Join(fmt.Errorf("%d records were not kept", n), r.Close())
	}
	b.add(bench.Result{Name: "cdr.journal_per_s", Value: float64(done.Load()) / took.Seconds(), Unit: "records/s", AtLeast: 5000})
	return r.Close()
}

// latency has calls end at a steady rate.
func (b *run) latency() error {
	r, err := b.open("latency")
	if err != nil {
		return err
	}
	var (
		wg     sync.WaitGroup
		mu     sync.Mutex
		took   []float64
		failed error
	)
	tick := time.NewTicker(time.Second / arrival)
	defer tick.Stop()
	for i, start := 0, time.Now(); time.Since(start) < b.options.Duration; i++ {
		<-tick.C
		wg.Go(func() {
			rec := call(fmt.Sprint(i))
			up(r, rec)
			begin := time.Now()
			err := r.Record(b.ctx, rec)
			mu.Lock()
			defer mu.Unlock()
			took, failed = append(took, milliseconds(time.Since(begin))), errors.Join(failed, err)
		})
	}
	wg.Wait()
	b.add(bench.Result{Name: "cdr.call_end_p50_ms", Value: percentile(took, 50), Unit: "ms"})
	b.add(bench.Result{Name: "cdr.call_end_p99_ms", Value: percentile(took, 99), Unit: "ms", Limit: b.fsync + allowance})
	return errors.Join(failed, r.Close())
}

// backlog fills a journal while no broker is there, and then starts one.
func (b *run) backlog() error {
	j, err := journal.Open(filepath.Join(b.dir, "backlog"), journal.Config{KeepBytes: -1, Hold: true}, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer j.Close()
	if err := b.fill(j); err != nil {
		return err
	}
	config := brokertest.Config{Dir: filepath.Join(b.dir, "broker"), Store: "8 gb", Java: []string{"-XX:TieredStopAtLevel=4"}}
	if err := os.Mkdir(config.Dir, 0o700); err != nil {
		return err
	}
	broker, err := brokertest.Start(config)
	if errors.Is(err, brokertest.ErrMissing) {
		fmt.Fprintln(b.options.Progress, "left out:", err)
		return nil
	}
	if err != nil {
		return err
	}
	took, err := b.drain(j, "tcp://"+broker.OpenWire)
	if err != nil {
		return errors.Join(err, broker.Kill())
	}
	n := float64(b.options.Backlog)
	b.add(bench.Result{Name: "cdr.delivered_per_s", Value: n / took.Seconds(), Unit: "records/s", AtLeast: 1200})
	b.add(bench.Result{Name: "cdr.backlog_records", Value: n, Unit: "records"})
	b.add(bench.Result{Name: "cdr.backlog_s", Value: took.Seconds(), Unit: "s", Limit: 300})
	return broker.Kill()
}

func (b *run) fill(j *journal.Journal) error {
	for i := 0; i < b.options.Backlog; {
		var entries [][]byte
		for ; i < b.options.Backlog && len(entries) < 500; i++ {
			entry, err := reporting.Encode(call(fmt.Sprint(i)))
			if err != nil {
				return err
			}
			entries = append(entries, entry)
		}
		if _, err := j.Append(b.ctx, entries...); err != nil {
			return err
		}
	}
	return nil
}

// drain delivers everything and tells how long it took.
func (b *run) drain(j *journal.Journal, url string) (time.Duration, error) {
	p, err := delivery.New(delivery.Config{Brokers: []string{url}}, "backlog", j, slog.New(slog.NewTextHandler(b.options.Progress, nil)))
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithCancel(b.ctx)
	defer cancel()
	start := time.Now()
	var wg sync.WaitGroup
	wg.Go(func() { p.Run(ctx) })
	defer wg.Wait()
	defer cancel()
	for p.Waiting() > 0 || p.Confirmed() < int64(b.options.Backlog) {
		select {
		case <-time.After(20 * time.Millisecond):
		case <-b.ctx.Done():
			return 0, b.ctx.Err()
		}
	}
	return time.Since(start), nil
}

// up does what a call costs before its end.
func up(r *reporting.Recorder, rec *reporting.Record) {
	r.Begin(rec)
	r.Answered(rec)
}

// call is the record of an ordinary call.
func call(id string) *reporting.Record {
	start := time.Now()
	r := reporting.Begin("01890a5d-ac96-774b-bcce-"+id, start)
	r.SIPCallID, r.Session, r.Application = "a84b4c76e66710@10.0.0.9", "8F6B2C30-01890a5d", "http://das.example/app/main.vxml"
	r.Component, r.Tenant, r.Profile = "gvp-mcp-0", "1.101", "117"
	r.Parties = reporting.Parties{
		Local: "sip:+493012345@mcp.example;transport=tcp", Remote: "sip:+491711234567@sbc.example", Request: "sip:dialog@10.0.0.1:5070",
		DNIS: "+493012345", ANI: "+491711234567",
	}
	sent := reporting.Sent{Packets: 9012, Bytes: 1550064, Relayed: 8800, SSRC: 3735928559, Heard: &reporting.Heard{Loss: 0.001, Jitter: 1.5, RoundTrip: 22, MOS: 4.2}}
	received := reporting.Received{Packets: 9000, Bytes: 1548000, Relayed: 8700, User: 300, Jitter: 1.25, MOS: 4.3, SSRC: 3405691582, RTCP: 36}
	r.Media = []reporting.Leg{
		{Name: "caller", Codec: "PCMU", Remote: "10.0.0.9:20000", Received: received, Sent: sent},
		{Name: "recognizer", Codec: "PCMU", Remote: "10.0.0.7:20002", Received: received, Sent: sent},
	}
	r.Speech = &reporting.Speech{Recognitions: 5, Matches: 4, NoMatches: 1, Syntheses: 9}
	r.Dialogue = &reporting.Dialogue{Pages: 7, LastEvent: "connection.disconnect.hangup", Exit: map[string]string{"result": "transferred"}}
	r.Answer(start.Add(40 * time.Millisecond))
	r.Finish(start.Add(3*time.Minute), reporting.End{Cause: reporting.HangUp, By: reporting.Caller, SIPStatus: 200})
	return r
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// percentile is of values, which it sorts.
func percentile(values []float64, p int) float64 {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[min(len(values)-1, len(values)*p/100)]
}
