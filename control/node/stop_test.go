package node

import (
	"bytes"
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"mcp/control/reporting"
)

// onStopped does something when it is logged that the platform has stopped.
type onStopped struct {
	slog.Handler
	do func()
}

func (h onStopped) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == "stopped" {
		h.do()
	}
	return h.Handler.Handle(ctx, r)
}

// That the platform has stopped is the last that its log says: nothing of it is left then
// that could say more, and its journals are another's to open.
func TestStoppedIsTheLastWord(t *testing.T) {
	cfg, dir := Defaults(), t.TempDir()
	cfg.SIP.Listen, cfg.Health.Listen, cfg.Health.Console.Listen = []string{"tcp:127.0.0.1:0"}, "", ""
	cfg.Media.Plane, cfg.Calls.Drain, cfg.Application.Trace = "socket", 0, ""
	cfg.Reporting.Journal, cfg.Upload.Folder = filepath.Join(dir, "journal"), filepath.Join(dir, "recordings")
	cfg.Reporting.Broker.URLs = []string{"tcp://" + free(t)}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	var log bytes.Buffer
	told := onStopped{slog.NewTextHandler(&log, nil), func() {
		next, err := reporting.Open(cfg.Reporting.Journal, reporting.Config{Interval: -1}, slog.New(slog.DiscardHandler))
		if err == nil {
			err = next.Close()
		}
		if err != nil {
			t.Error(err)
		}
	}}
	if err := Run(ctx, cfg, nil, slog.New(told)); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if last := lines[len(lines)-1]; !strings.Contains(last, "msg=stopped") {
		t.Errorf("the log ends with %s\n%s", last, log.String())
	}
}
