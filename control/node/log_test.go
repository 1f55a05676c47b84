package node

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What the platform logs is on its /log page, classed by the rules.
func TestLogIsCounted(t *testing.T) {
	rules := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(rules, []byte("rules: [{class: configServerFailure, message: lost}]"), 0o600); err != nil {
		t.Fatal(err)
	}
	n := &Node{cfg: Config{Log: Log{Export: LogExport{Rules: rules}}}, log: slog.New(slog.DiscardHandler)}
	if err := n.openLogExport(); err != nil {
		t.Fatal(err)
	}
	n.log.Warn("connection lost")
	if page := show(t, logCounters(n.logged)); !strings.Contains(page, `mcp_log_events_total{class="configServerFailure"} 1`) {
		t.Errorf("the page says\n%s", page)
	}
}

func show(t *testing.T, h http.Handler) string {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/log", nil))
	text, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestLogExporterRole(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	cfg := Defaults()
	if err := RunLogExporter(ctx, cfg, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("it starts without a file")
	}
	cfg.Log.Export = LogExport{Listen: "127.0.0.1:0", File: filepath.Join(t.TempDir(), "mcp.log")}
	if err := RunLogExporter(ctx, cfg, slog.New(slog.DiscardHandler)); err != nil {
		t.Error(err)
	}
	cfg.Log.Export.Rules = "/nowhere/rules.yaml"
	if err := RunLogExporter(ctx, cfg, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("it starts without its rules")
	}
}
