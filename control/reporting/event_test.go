package reporting

import (
	"context"
	"fmt"
	"iter"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mcp/control/reporting/journal"
)

func TestTrailsTellACallsEventsInOrder(t *testing.T) {
	dir := t.TempDir()
	r := openWith(t, dir, Config{Interval: -1, Trace: true})
	rec := ended("call-1")
	rec.Tenant, rec.Application = "1.101", "http://web/app?pin=1234"
	trail := r.Begin(rec)
	r.Serve(rec)
	trail.Serve(rec.Application)
	trail.Step("incall_begin", "")
	trail.Custom("com.genesyslab.var.CallResult", strings.Repeat("é", maxText))
	trail.Step("incall_end", "hang-up")
	if err := r.Record(context.Background(), rec); err != nil {
		t.Fatal(err)
	}
	(*Trail)(nil).Step("nothing", "") // of a call whose recorder makes none
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, read := range []func(string, journal.Position) iter.Seq2[Stored, error]{Read, ReadReports} {
		for s, err := range read(dir, journal.Position{}) {
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(s.JSON), "1234") {
				t.Errorf("the application's query is in %s", s.JSON)
			}
			if s.Event == nil {
				continue
			}
			got = append(got, fmt.Sprint(s.Kind, s.Event.Sequence, s.Event.Name))
			if s.Event.Call != "call-1" || s.Tenant != "1.101" || s.Component != "mcp-0" || len(s.Event.Text) > maxText || s.ID == "call-1" {
				t.Errorf("%+v", s.Event.Head)
			}
		}
	}
	want := []string{"custom2com.genesyslab.var.CallResult", "trace1incall_begin", "trace3incall_end"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestOperationsAreCountedByApplicationAndTenant(t *testing.T) {
	start := time.Now()
	y := newTally(start)
	call := func(id, tenant string, setup time.Duration, mos float64) *Record {
		r := Begin(id, start)
		r.Tenant, r.Application = tenant, "http://web/"+tenant
		if setup > 0 {
			r.Answer(start.Add(setup))
		}
		r.Media = []Leg{{Name: "caller", Received: Received{Packets: 90, Lost: 10, Jitter: 2, MOS: mos}}}
		r.Finish(start.Add(setup+10*time.Second), End{Cause: HangUp})
		if setup > 0 {
			r.Dialogue = &Dialogue{Latency: &Latency{FirstPrompt: mos, Response: &Spread{Median: 1, Most: 10 * mos}}}
		}
		return r
	}
	a, b, c := call("a", "1", 100*time.Millisecond, 4), call("b", "1", 300*time.Millisecond, 3), call("c", "2", 0, 0)
	y.begin(a)
	y.begin(b)
	y.end(a)
	y.end(c) // it never had an application
	first := y.report(start.Add(5 * time.Minute))
	if len(first) != 2 {
		t.Fatalf("%+v", first)
	}
	one, two := first[0], first[1]
	if one.Tenant != "1" || one.Arrived != 2 || one.Ended != 1 || one.Answered != 1 || one.Peak != 2 || one.Active != 1 ||
		one.Talk != 10000 || one.Causes[HangUp] != 1 || one.Interval != 300000 || one.Setup.Median != 100 || one.Quality.MOS != 4 || one.Quality.Lost != 0.1 ||
		one.First.Most != 4 || one.Response.Most != 40 {
		t.Errorf("%+v", one)
	}
	if two.Tenant != "2" || two.Arrived != 1 || two.Ended != 1 || two.Answered != 0 || two.Peak != 0 || two.Setup != nil || two.Quality != nil || two.First != nil || two.Response != nil {
		t.Errorf("%+v", two)
	}
	y.end(b)
	second := y.report(start.Add(10 * time.Minute))
	if len(second) != 1 || second[0].Arrived != 0 || second[0].Ended != 1 || second[0].Peak != 1 || second[0].Active != 0 || second[0].Quality.Least != 3 {
		t.Errorf("%+v", second)
	}
	if third := y.report(start.Add(15 * time.Minute)); len(third) != 0 {
		t.Errorf("%+v", third)
	}
}

// TestManyApplicationsAreCountedTogether bounds what callers who name
// applications can do.
func TestManyApplicationsAreCountedTogether(t *testing.T) {
	y := newTally(time.Now())
	for i := range 3 * maxLines {
		r := ended(fmt.Sprint(i))
		r.Application = fmt.Sprint("http://web/", i)
		y.end(r)
	}
	total, lines := 0, y.report(time.Now())
	for _, l := range lines {
		total += l.Ended
	}
	if len(lines) != maxLines+1 || total != 3*maxLines {
		t.Errorf("%d lines of %d calls", len(lines), total)
	}
}

// seeing watches the calls of its own tenant.
type seeing struct {
	tenant string
	seen   *[]string
}

func (s seeing) Begun(r *Record) func(*Event) {
	if r.Tenant != s.tenant {
		return nil
	}
	return func(e *Event) { *s.seen = append(*s.seen, e.Call+" "+e.Name) }
}

func (s seeing) Ended(*Record) {}

// Steps are told while somebody watches the call, to each who does.
func TestWatchersAreShownTheCallsThatTheyFollow(t *testing.T) {
	var ours, theirs []string
	r := openWith(t, t.TempDir(), Config{Interval: -1, Watcher: Watchers{
		seeing{"ours", &ours}, seeing{"theirs", &theirs}, seeing{"ours", &theirs}}})
	for _, tenant := range []string{"ours", "theirs", "nobody's"} {
		rec := Begin("of-"+tenant, time.Now())
		rec.Tenant = tenant
		trail := r.Begin(rec)
		trail.Step(StepBegun, "sip:ivr@h")
		if trail.Traces() != (tenant != "nobody's") {
			t.Errorf("a call of %s is traced: %v", tenant, trail.Traces())
		}
	}
	if got := fmt.Sprint(ours, theirs); got != "[of-ours incall_begin] [of-ours incall_begin of-theirs incall_begin]" {
		t.Error(got)
	}
}

// What is only shown is neither counted among a call's events nor recorded.
func TestShownIsNotRecorded(t *testing.T) {
	dir, seen := t.TempDir(), []string{}
	r := openWith(t, dir, Config{Interval: -1, Trace: true, Watcher: seeing{"", &seen}})
	trail := r.Begin(Begin("one", time.Now()))
	trail.Show("waiting", "dtmf")
	trail.Step(StepKeys, "1")
	(*Trail)(nil).Show("waiting", "dtmf")
	r.Drain()
	if got := fmt.Sprint(seen); got != "[one waiting one dtmf]" {
		t.Error(got)
	}
	n := 0
	for s, err := range Read(filepath.Join(dir, reportsDir), journal.Position{}) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; s.Event == nil || s.Event.Name != string(StepKeys) || s.Event.Sequence != 1 {
			t.Errorf("recorded: %s", s.JSON)
		}
	}
	if n != 1 {
		t.Errorf("%d events are recorded", n)
	}
}

// BenchmarkStep shows a step to who watches the call.
func BenchmarkStep(b *testing.B) {
	r := openWith(b, b.TempDir(), Config{Interval: -1, Watcher: seeing{"", new([]string)}})
	trail := r.Begin(Begin("one", time.Now()))
	trail.show = func(*Event) {}
	b.ReportAllocs()
	for b.Loop() {
		trail.Step(StepPromptPlay, "http://web/prompt.wav")
	}
}
