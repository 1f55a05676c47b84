package recording

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"mcp/control/certs"
	"mcp/control/media/clock"
	"mcp/control/media/record"
	"mcp/control/media/record/store"
)

func TestConfig(t *testing.T) {
	for _, tt := range []struct {
		config   Config
		channels int // 0: refused
	}{
		{config: Defaults(), channels: 1},
		{config: Config{Calls: "mixed", Type: "audio/mpeg;bitrate=16"}, channels: 1},
		{config: Config{Calls: "sides", Type: "audio/wav;codec=pcm"}, channels: 2},
		{config: Config{Calls: "both", Type: "audio/wav"}},
		{config: Config{Calls: "mixed", Type: "video/mp4"}},
		{config: Config{Calls: "mixed"}},
	} {
		err := tt.config.Validate()
		f, _ := tt.config.format()
		if (err == nil) != (tt.channels > 0) || err == nil && f.Channels != tt.channels {
			t.Errorf("%+v: %+v, %v", tt.config, f, err)
		}
	}
}

func TestServer(t *testing.T) {
	fine := Defaults().Server
	fine.URI = "sip:record={id}@10.0.0.2:5060"
	for what, change := range map[string]func(*Server){
		"no SIP URI": func(s *Server) { s.URI = "http://srs" }, "no protocol": func(s *Server) { s.Protocol = "rtp" },
		"no failure": func(s *Server) { s.Failure = "ignore" }, "no timeout": func(s *Server) { s.Timeout = 0 },
	} {
		s := fine
		if change(&s); s.Validate() == nil {
			t.Errorf("%s: %+v is taken", what, s)
		}
	}
	log := slog.New(slog.DiscardHandler)
	if c := Defaults().Server.Client(nil, nil, log); Defaults().Server.Validate() != nil || c != nil {
		t.Error("calls are sent to a server that is not configured")
	}
	fine.Failure = "refuse"
	if c := fine.Client(nil, nil, log); fine.Validate() != nil || !c.Vital() {
		t.Error("calls that must be recorded need not be")
	} else if err := c.Close(); err != nil {
		t.Error(err)
	}
}

func TestOpen(t *testing.T) {
	parts := Parts{
		Folder: filepath.Join(t.TempDir(), "new"), Clock: new(clock.Clock),
		Metrics: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler),
	}
	blocked := parts
	blocked.Folder = "/dev/null/recordings"
	if r, err := Open(t.Context(), Defaults(), blocked); err != nil || r.Store != nil || r.Calls() != nil || r.Close() != nil {
		t.Errorf("nothing is to be recorded, and nothing can be: %+v, %v", r, err)
	}
	if _, err := Open(t.Context(), Config{Calls: "mixed", Type: "audio/wav"}, blocked); err == nil {
		t.Error("calls are to be recorded, and cannot be")
	}
	c := Config{Calls: "mixed", Type: "audio/wav"}
	c.Certificates.Files = []string{filepath.Join(t.TempDir(), "missing.pem")}
	r, err := Open(t.Context(), c, parts)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Store.Begin(store.Request{Options: record.Options{Format: r.format}}); !errors.Is(err, certs.ErrNone) {
		t.Errorf("without the certificates that are configured: %v", err)
	}
	if entries, err := os.ReadDir(parts.Folder); err != nil || len(entries) != 0 {
		t.Errorf("in the folder are %v, %v", entries, err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	c.Certificates.Files, parts.Metrics = nil, prometheus.NewRegistry()
	if r, err = Open(t.Context(), c, parts); err != nil {
		t.Fatal(err)
	}
	if r.Calls() == nil || r.Store == nil {
		t.Error("calls are not recorded")
	}
	if info, err := os.Stat(parts.Folder); err != nil || !info.IsDir() {
		t.Errorf("the folder is not there: %v", err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}
