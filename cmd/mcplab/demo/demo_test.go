package demo

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mcp/cmd/mcplab/caller"
	"mcp/cmd/mcplab/labtest"
	"mcp/cmd/mcplab/netlab"
)

// options are those of a run of this test's own.
func options(t *testing.T) Options {
	t.Helper()
	p := labtest.Build(t)
	return Options{
		Platform: p.Platform, Lab: p.Lab, Out: p.Out, Prefix: p.Prefix,
		Plane: "auto", Voice: "slt", Answer: "sales", Digits: "2749",
	}
}

// watcher keeps what is written and calls seen when a text has been.
type watcher struct {
	text string
	seen func()

	mu   sync.Mutex
	kept bytes.Buffer
}

func (w *watcher) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.kept.Write(p)
	if w.seen != nil && strings.Contains(w.kept.String(), w.text) {
		w.seen()
	}
	return len(p), nil
}

func TestDemonstration(t *testing.T) {
	o := options(t)
	var out watcher
	if err := Run(t.Context(), o, &out); err != nil {
		t.Errorf("%v\n%s", err, out.kept.String())
	}
}

func TestInterruptedDemonstrationLeavesNothing(t *testing.T) {
	o := options(t)
	for _, at := range []string{"namespaces", "speech    ready", "call answered", "caller    says"} {
		ctx, cancel := context.WithCancel(t.Context())
		out := watcher{text: at, seen: cancel}
		if err := Run(ctx, o, &out); !errors.Is(err, context.Canceled) {
			t.Errorf("interrupted at %q: %v", at, err)
		}
		cancel()
		labtest.NothingLeft(t, o.Prefix)
	}
}

func TestMissingPlatformIsToldAndLeavesNothing(t *testing.T) {
	o := options(t)
	o.Platform = "/bin/false"
	if err := Run(t.Context(), o, io.Discard); err == nil || !strings.Contains(err.Error(), "platform ended before it was ready") {
		t.Error(err)
	}
}

// TestCallsLeaveNothingBehind places a hundred calls one after the other and
// fifty at once, which end in the middle of a prompt, and compares what the
// platform holds before and after.
func TestCallsLeaveNothingBehind(t *testing.T) {
	d := &demo{options: options(t), facts: &facts{}, timeline: newTimeline(io.Discard)}
	d.pins = netlab.BPF + "/" + d.options.Prefix + "mcp"
	if err := os.MkdirAll(d.options.Out, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.close(); err != nil {
			t.Error(err)
		}
	})
	if err := d.build(t.Context()); err != nil {
		t.Fatal(err)
	}
	load := func(calls, atOnce int, script string) {
		out, err := d.place(t.Context(), "--calls", strconv.Itoa(calls), "--concurrency", strconv.Itoa(atOnce), "--script", script)
		if err != nil {
			t.Fatal(err)
		}
		var result caller.LoadResult
		if err := json.Unmarshal(out, &result); err != nil {
			t.Fatal(err)
		}
		t.Logf("%+v", result)
	}
	load(2, 2, "wait 1s; hangup") // opens the connections that stay
	before := d.held(t)
	load(100, 1, "hear; hangup")
	d.expectHeld(t, before)
	load(50, 50, "hear; hangup")
	d.expectHeld(t, before)
}

// held is what the platform holds, by its own metrics.
func (d *demo) held(t *testing.T) map[string]float64 {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return d.lab.Dial(ctx, d.lab.SBC, network, netip.AddrPortFrom(netlab.MCPToSBC, 8300))
	}}
	response, err := (&http.Client{Transport: transport}).Get("http://platform/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	held := map[string]float64{}
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if name == "go_goroutines" || name == "process_open_fds" {
			held[name], _ = strconv.ParseFloat(value, 64)
		}
	}
	if err := d.countLegs(t.Context()); err != nil {
		t.Fatal(err)
	}
	held["legs"] = float64(d.facts.legs)
	return held
}

// expectHeld waits until the platform holds no more than before, a few
// connections and their goroutines apart.
func (d *demo) expectHeld(t *testing.T, before map[string]float64) {
	t.Helper()
	const few = 6
	var now map[string]float64
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); time.Sleep(500 * time.Millisecond) {
		now = d.held(t)
		if now["legs"] == 0 && now["go_goroutines"] <= before["go_goroutines"]+few && now["process_open_fds"] <= before["process_open_fds"]+few {
			t.Logf("before %v, after %v", before, now)
			return
		}
	}
	t.Fatalf("held before %v, after %v:\n%s", before, now, d.holdings())
}

// holdings ends the platform and tells what it held: its descriptors and goroutines.
func (d *demo) holdings() string {
	var all []string
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, line := range lines {
		args, err := os.ReadFile(line)
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(line)))
		if err != nil || !strings.HasPrefix(string(args), d.options.Platform+"\x00serve\x00") || !strings.Contains(string(args), d.options.Out) {
			continue
		}
		open, _ := filepath.Glob(filepath.Join(filepath.Dir(line), "fd", "*"))
		for _, fd := range open {
			to, _ := os.Readlink(fd)
			all = append(all, to)
		}
		_ = syscall.Kill(pid, syscall.SIGQUIT) // the runtime writes all goroutines to its log
		for end := time.Now().Add(10 * time.Second); syscall.Kill(pid, 0) == nil && time.Now().Before(end); {
			time.Sleep(50 * time.Millisecond)
		}
	}
	log, err := os.ReadFile(d.path("platform.log"))
	if err != nil {
		return err.Error()
	}
	_, goroutines, _ := strings.Cut(string(log), "SIGQUIT")
	return strings.Join(all, "\n") + "\n" + goroutines
}
