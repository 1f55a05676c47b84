package delivery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"mcp/control/reporting"
	"mcp/control/reporting/journal"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func openJournal(t testing.TB, dir string, c journal.Config) *journal.Journal {
	t.Helper()
	j, err := journal.Open(dir, c, quiet())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j
}

// put appends records of calls with the numbers from and to.
func put(t testing.TB, j *journal.Journal, from, to int) {
	t.Helper()
	var entries [][]byte
	for i := from; i < to; i++ {
		entries = append(entries, fmt.Appendf(nil, `{"schema":1,"kind":"call","id":"call-%d","ended_at":"2026-01-02T03:04:05Z"}`, i))
	}
	if _, err := j.Append(context.Background(), entries...); err != nil {
		t.Fatal(err)
	}
}

// recordID is the id in the text of a record.
func recordID(t testing.TB, text string) string {
	t.Helper()
	var head reporting.Head
	if err := json.Unmarshal([]byte(text), &head); err != nil {
		t.Errorf("%v in %q", err, text)
	}
	return head.ID
}

// run starts a pump; the returned function stops it and waits.
func run(t testing.TB, p *Pump) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { p.Run(ctx) })
	stop = func() { cancel(); wg.Wait() }
	t.Cleanup(stop)
	return stop
}

func newPump(t testing.TB, c Config, j *journal.Journal) *Pump {
	t.Helper()
	if c.MaxWait == 0 {
		c.MinWait, c.MaxWait = 10*time.Millisecond, 200*time.Millisecond
	}
	p, err := New(c, "calls", j, quiet())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// until waits for a condition that nobody tells of.
func until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("%s never came to be", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func value(t testing.TB, c prometheus.Collector, name string) float64 {
	t.Helper()
	reg := prometheus.NewRegistry()
	reg.MustRegister(c)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			m := f.GetMetric()[0]
			return m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

func TestMessagesCanBeSelectedByWhatTheySay(t *testing.T) {
	c := &Config{Queue: "mcp.records", Queues: map[string]string{"operations": "topic://mcp.operations"}}
	tests := []struct {
		name, record string
		want         Message
	}{
		{"call", `{"schema":1,"kind":"call","id":"c1","component":"mcp-0","tenant":"1.101","profile":"117","session":"S","application":"http://a",
			"parties":{"dnis":"100","ani":"alice"},"started_at":"1970-01-01T00:00:01Z","ended_at":"1970-01-01T00:00:03Z","end":{"cause":"hang-up","by":"caller"}}`,
			Message{Destination: "mcp.records", Kind: "call", ID: "c1", Call: "c1", Time: time.Unix(3, 0).UTC(), Properties: map[string]any{
				"schema": int32(1), "kind": "call", "recordId": "c1", "callId": "c1", "component": "mcp-0", "tenant": "1.101", "profile": "117",
				"sessionId": "S", "application": "http://a", "dnis": "100", "ani": "alice", "cause": "hang-up", "endedBy": "caller",
				"startedAt": int64(1000), "endedAt": int64(3000),
			}}},
		{"custom event", `{"schema":1,"kind":"custom","id":"e1","call":"c1","at":"1970-01-01T00:00:02Z","name":"com.genesyslab.var.CallResult","text":"sale"}`,
			Message{Destination: "mcp.records", Kind: "custom", ID: "e1", Call: "c1", Time: time.Unix(2, 0).UTC(), Properties: map[string]any{
				"schema": int32(1), "kind": "custom", "recordId": "e1", "callId": "c1", "label": "com.genesyslab.var.CallResult",
			}}},
		{"operations", `{"schema":1,"kind":"operations","id":"o1","to":"1970-01-01T00:00:04Z"}`,
			Message{Destination: "topic://mcp.operations", Kind: "operations", ID: "o1", Time: time.Unix(4, 0).UTC(), Properties: map[string]any{
				"schema": int32(1), "kind": "operations", "recordId": "o1",
			}}},
	}
	for _, tt := range tests {
		tt.want.Text = tt.record
		if got, err := c.messageOf([]byte(tt.record)); err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %+v, %v", tt.name, got, err)
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	for _, tt := range []struct {
		config Config
		error  string // part of it; "": none
	}{
		{Config{Brokers: []string{"tcp://rs", "ssl://rs:61617", "stomp://[::1]:1", "stomp+ssl://rs", "amqp://rs", "amqps://rs/"}}, ""},
		{Config{Brokers: []string{"http://rs"}}, "scheme"},
		{Config{Brokers: []string{"rs:61616"}}, "URL"},
		{Config{Brokers: []string{"tcp://ivr:s3cret@rs"}}, "keys of their own"},
		{Config{Brokers: []string{"tcp://rs?wireFormat=x"}}, "host and a port"},
		{Config{Queues: map[string]string{"calls": "x"}}, "none of"},
	} {
		err := tt.config.Validate()
		if tt.error == "" && err != nil || tt.error != "" && (err == nil || !strings.Contains(err.Error(), tt.error)) {
			t.Errorf("%+v: %v", tt.config, err)
		}
		if err != nil && strings.Contains(err.Error(), "s3cret") {
			t.Errorf("a password is told: %v", err)
		}
	}
	if _, err := New(Config{}, "calls", nil, quiet()); err == nil {
		t.Error("a pump to nowhere was made")
	}
}

// fickle is a broker that takes some messages, fails, and loses confirmations.
type fickle struct {
	mu   sync.Mutex
	rand *rand.Rand
	got  map[string]int // times a record arrived
	busy int            // most messages sent at once
}

var errFickle = errors.New("connection lost")

func (f *fickle) Send(_ context.Context, messages []Message) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.busy = max(f.busy, len(messages))
	n := len(messages)
	fate := f.rand.IntN(4)
	if fate == 0 {
		n = f.rand.IntN(n)
	}
	for _, m := range messages[:n] {
		f.got[m.ID]++
	}
	if fate < 2 {
		return errFickle // with fate 1 the broker has all, and nobody hears of it
	}
	return nil
}

func (f *fickle) Done() <-chan struct{} { return nil }

func (f *fickle) Close() error { return nil }

func (f *fickle) arrived() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.got)
}

// TestNothingIsLostWhateverDies stops pump and journal at any point, again and
// again, while records come and the broker fails.
func TestNothingIsLostWhateverDies(t *testing.T) {
	lives := 25
	if testing.Short() {
		lives = 10
	}
	for seed := range uint64(4) {
		r := rand.New(rand.NewPCG(seed, 2))
		dir := t.TempDir()
		broker := &fickle{rand: rand.New(rand.NewPCG(seed, 3)), got: map[string]int{}}
		n := 0
		for range lives {
			j, err := journal.Open(dir, journal.Config{SegmentBytes: 2000, KeepBytes: 400000, Hold: true}, quiet())
			if err != nil {
				t.Fatal(err)
			}
			p := newPump(t, Config{Brokers: []string{"tcp://fickle"}, Batch: 7}, j)
			p.dial = func(context.Context) (Link, error) { return broker, nil }
			p.config.MinWait, p.config.MaxWait = time.Microsecond, time.Millisecond
			ctx, cancel := context.WithCancel(context.Background())
			var wg sync.WaitGroup
			wg.Go(func() { p.Run(ctx) })
			more := r.IntN(40)
			put(t, j, n, n+more)
			n += more
			if r.IntN(2) == 0 {
				until(t, "half of the records", func() bool { return broker.arrived() >= n-more/2 })
			}
			if r.IntN(3) == 0 { // what was noted of the progress is lost
				if err := os.Remove(filepath.Join(dir, "delivered")); err != nil && !errors.Is(err, os.ErrNotExist) {
					t.Fatal(err)
				}
			}
			cancel()
			wg.Wait()
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
		}
		j := openJournal(t, dir, journal.Config{})
		p := newPump(t, Config{Brokers: []string{"tcp://fickle"}}, j)
		p.dial = func(context.Context) (Link, error) { return broker, nil }
		stop := run(t, p)
		until(t, "the last record", func() bool { return value(t, p, "mcp_reporting_queue_records") == 0 && broker.arrived() == n })
		stop()
		for i := range n {
			if broker.got[fmt.Sprint("call-", i)] == 0 {
				t.Fatalf("seed %d: record %d of %d never arrived", seed, i, n)
			}
		}
	}
}

func TestDamageIsSteppedOver(t *testing.T) {
	dir := t.TempDir()
	j := openJournal(t, dir, journal.Config{})
	put(t, j, 0, 10)
	if _, err := j.Append(context.Background(), []byte("no JSON")); err != nil {
		t.Fatal(err)
	}
	put(t, j, 10, 20)
	path := filepath.Join(dir, fmt.Sprintf("%016d.journal", 1))
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[strings.Index(string(b), "call-5")] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	broker := &steady{got: map[string]int{}}
	p := newPump(t, Config{Brokers: []string{"tcp://steady"}}, j)
	p.dial = func(context.Context) (Link, error) { return broker, nil }
	run(t, p)
	until(t, "the others' arrival", func() bool { return broker.arrived() == 19 })
	if n := value(t, p, "mcp_reporting_unreadable_total"); n != 2 {
		t.Errorf("%v places are said to be unreadable", n)
	}
}

// steady takes everything.
type steady struct {
	mu  sync.Mutex
	got map[string]int
}

func (s *steady) Send(_ context.Context, messages []Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range messages {
		s.got[m.ID]++
	}
	return nil
}

func (s *steady) Done() <-chan struct{} { return nil }

func (s *steady) Close() error { return nil }

func (s *steady) arrived() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.got)
}
