package reporting

import (
	"context"
	"log/slog"
	"testing"
	"time"
)

// together is how many calls a benchmark has up at once, on each processor.
const together = 64

// BenchmarkCall is what a call costs in records from its INVITE to its end, for the
// processor: on the clock it waits for the disk.
func BenchmarkCall(b *testing.B) {
	r, err := Open(b.TempDir(), Config{Component: "mcp-0", Interval: -1}, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := r.Close(); err != nil {
			b.Error(err)
		}
	}()
	b.SetParallelism(together)
	b.ReportAllocs()
	before := processorTime(b)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			short(b, r)
		}
	})
	b.ReportMetric(float64(processorTime(b)-before)/float64(b.N), "cpu-ns/op")
}

// short is a call of a caller who hears a prompt.
func short(b *testing.B, r *Recorder) {
	rec := Begin(newID(), time.Now())
	rec.SIPCallID = "2323-19918@127.0.0.1"
	rec.Parties = Parties{
		Local: "sip:ivr@127.0.0.1:5060", Remote: "sip:sipp@127.0.0.1:5070", Request: "sip:ivr@127.0.0.1:5060", DNIS: "ivr", ANI: "sipp",
	}
	trail := r.Begin(rec)
	trail.Step(StepCall, rec.ID)
	rec.Application = "file:///srv/app.vxml"
	r.Serve(rec)
	trail.Serve(rec.Application)
	rec.Answer(time.Now())
	r.Answered(rec)
	rec.Media = []Leg{{
		Name: "caller", Codec: "PCMU", Remote: "127.0.0.1:20000",
		Received: Received{Packets: 5, Bytes: 860, User: 5, Jitter: 0.25}, Sent: Sent{Packets: 50, Bytes: 8600, SSRC: 12345678},
	}}
	rec.Dialogue = &Dialogue{Pages: 1, Latency: &Latency{FirstPrompt: 1.25}}
	trail.Complete(rec)
	rec.Finish(time.Now(), End{Cause: HangUp, By: Caller, SIPStatus: 200})
	if err := r.Record(context.Background(), rec); err != nil {
		b.Error(err)
	}
}
