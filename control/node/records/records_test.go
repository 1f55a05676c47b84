package records

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"mcp/control/reporting"
	"mcp/control/reporting/journal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSectionIsChecked(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Section)
		error  string // part of it; "": none
	}{
		{"defaults", func(*Section) {}, ""},
		{"brokers", func(s *Section) { s.Broker.URLs = []string{"tcp://rs:61616", "ssl://rs2"} }, ""},
		{"unknown policy", func(s *Section) { s.WhenFull = "panic" }, "when-full"},
		{"small journal", func(s *Section) { s.MaxSize = 1000 }, "max-size"},
		{"negative age", func(s *Section) { s.KeepFor = -1 }, "keep-for"},
		{"broker without scheme", func(s *Section) { s.Broker.URLs = []string{"rs:61616"} }, "tcp://rs:61616"},
		{"unknown kind", func(s *Section) { s.Broker.Queues = map[string]string{"cdr": "q"} }, "none of call"},
		{"batch of none", func(s *Section) { s.Broker.Batch = 0 }, "batch"},
		{"certificate without key", func(s *Section) { s.Broker.Cert = "cert.pem" }, "together"},
	}
	for _, tt := range tests {
		s := Defaults("/var/lib/mcp")
		tt.change(&s)
		err := s.Validate()
		if err == nil {
			err = s.Broker.Validate()
		}
		if tt.error == "" && err != nil || tt.error != "" && (err == nil || !strings.Contains(err.Error(), tt.error)) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestRecordsWaitForABrokerThatIsNotThere(t *testing.T) {
	s := Defaults(t.TempDir())
	s.Broker.URLs, s.Broker.Timeout = []string{"tcp://127.0.0.1:1"}, time.Second
	registry := prometheus.NewRegistry()
	r, err := Open(s, nil, registry, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	rec := reporting.Begin("call-1", time.Now())
	r.Begin(rec)
	rec.Finish(time.Now(), reporting.End{Cause: reporting.Cancelled, By: reporting.Caller})
	if err := r.Record(context.Background(), rec); err != nil {
		t.Fatal(err)
	}
	if families, err := registry.Gather(); err != nil || len(families) < 15 {
		t.Errorf("%d metrics, %v", len(families), err)
	}
	for range 2 {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	n := 0
	for range reporting.Read(filepath.Join(s.Journal), journal.Position{}) {
		n++
	}
	if n != 1 {
		t.Errorf("%d records in the journal", n)
	}
}

func TestMissingPasswordIsAnError(t *testing.T) {
	s := Defaults(t.TempDir())
	s.Broker.URLs, s.Broker.PasswordFile = []string{"tcp://127.0.0.1:1"}, "/does/not/exist"
	if _, err := Open(s, nil, prometheus.NewRegistry(), slog.New(slog.DiscardHandler)); err == nil {
		t.Error("opened without the password")
	}
}

func TestMissingCertificatesAreAnError(t *testing.T) {
	s := Defaults(t.TempDir())
	s.Broker.URLs, s.Broker.CA = []string{"ssl://127.0.0.1:1"}, "/does/not/exist.pem"
	if _, err := Open(s, nil, prometheus.NewRegistry(), slog.New(slog.DiscardHandler)); err == nil {
		t.Error("opened without the authorities' certificates")
	}
}

// Whoever starts a second platform on the first one's journals is told what to do.
func TestJournalsOfAnotherPlatformAreAnErrorThatAdvises(t *testing.T) {
	section := Defaults(t.TempDir())
	first, err := Open(section, nil, prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	if _, err := Open(section, nil, prometheus.NewRegistry(), slog.New(slog.DiscardHandler)); !errors.Is(err, journal.ErrLocked) || !strings.Contains(err.Error(), "reporting.journal") {
		t.Error(err)
	}
}
