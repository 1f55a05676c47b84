package author

import (
	"context"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mcp/control/reporting"
	"mcp/control/reporting/live"
	"mcp/control/reporting/recent"
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

// talk begins a dialogue and shows what happens in it.
func talk(calls *recent.Calls, id string) (show func(what, text string)) {
	r := reporting.Begin(id, time.Now())
	happened := calls.Begun(r)
	show = func(what, text string) {
		happened(&reporting.Event{Head: reporting.Head{Kind: reporting.KindShown}, Name: what, Text: text, At: time.Now()})
	}
	show(recent.Begun, "http://web/a.vxml")
	return show
}

func TestTrace(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	var out shared
	if err := trace(t.Context(), &out, "--dir", dir); err == nil {
		t.Error("no platform, and no error")
	}
	calls := &recent.Calls{}
	end, err := live.Listen(dir, calls)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = end() }()
	show := talk(calls, "01a2")
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
		show("said", "Hello.")
		time.Sleep(time.Millisecond)
	}
	done := make(chan error, 1)
	var one shared
	go func() { done <- trace(ctx, &one, "--dir", dir, "--variables", "01") }()
	for !(calls.Inspected("01a2") && strings.Contains(one.String(), "said  Hello.")) && ctx.Err() == nil {
		time.Sleep(time.Millisecond)
	}
	show(recent.Changed, "dialog.n = 1")
	show(recent.Ended, "exit")
	if err := <-done; err != nil || !strings.Contains(one.String(), "ended  exit") || !strings.Contains(one.String(), "changed  dialog.n = 1") {
		t.Errorf("%v:\n%s", err, one.String())
	}
	stop()
	if err := <-all; err != nil || strings.Contains(every.String(), "dialog.n") || !strings.Contains(every.String(), `"kind":"said","text":"Hello."`) {
		t.Errorf("%v:\n%s", err, every.String())
	}
}
