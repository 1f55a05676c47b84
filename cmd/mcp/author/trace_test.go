package author

import (
	"context"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mcp/control/service/voicexml/live"
)

// shared is a buffer that a command writes while the test reads.
type shared struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *shared) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *shared) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// trace runs the command with a context of its own.
func trace(ctx context.Context, out *shared, args ...string) error {
	cmd := Command("test", limited)
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	cmd.SetArgs(append([]string{"trace"}, args...))
	cmd.SetOut(out)
	cmd.SetErr(out)
	return cmd.ExecuteContext(ctx)
}

func TestTrace(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	var out shared
	if err := trace(t.Context(), &out, "--dir", dir); err == nil {
		t.Error("no platform, and no error")
	}
	hub := &live.Hub{}
	end, err := hub.Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = end() }()
	d := hub.Begin(live.Call{ID: "01a2", From: "sip:ann@sbc", Application: "http://web/a.vxml"})
	if err := trace(t.Context(), &out, "--dir", dir); err != nil || !strings.Contains(out.String(), "01a2") || !strings.Contains(out.String(), "http://web/a.vxml") {
		t.Errorf("%v:\n%s", err, out.String())
	}
	if err := trace(t.Context(), &out, "--dir", dir, "ff"); err == nil {
		t.Error("a call that is not there was followed")
	}
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	all := make(chan error, 1)
	var every shared
	go func() { all <- trace(ctx, &every, "--dir", dir, "--all", "--json") }()
	for !strings.Contains(every.String(), "Hello") && ctx.Err() == nil {
		d.Tell("said", "Hello.")
		time.Sleep(time.Millisecond)
	}
	done := make(chan error, 1)
	var one shared
	go func() { done <- trace(ctx, &one, "--dir", dir, "--variables", "01") }()
	for !(d.Inspected() && strings.Contains(one.String(), "said  Hello.")) && ctx.Err() == nil {
		time.Sleep(time.Millisecond)
	}
	d.Tell(live.Changed, "dialog.n = 1")
	d.End("exit")
	if err := <-done; err != nil || !strings.Contains(one.String(), "ended  exit") || !strings.Contains(one.String(), "changed  dialog.n = 1") {
		t.Errorf("%v:\n%s", err, one.String())
	}
	stop()
	if err := <-all; err != nil || strings.Contains(every.String(), "dialog.n") || !strings.Contains(every.String(), `"kind":"said","text":"Hello."`) {
		t.Errorf("%v:\n%s", err, every.String())
	}
}
