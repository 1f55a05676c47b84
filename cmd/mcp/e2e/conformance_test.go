package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mcp/cmd/mcplab/caller"
	"mcp/control/node"
	"mcp/vxml/conformance"
)

// few is how many of the W3C's tests are played on real calls by default;
// CONFORMANCE_CALLS says how many otherwise ("make conformance-calls").
const few = 4

// manifest finds the W3C's VoiceXML tests, which stay where they are: beside the
// module or in the folder that SUITES names.
func manifest(t *testing.T) string {
	t.Helper()
	for _, top := range []string{os.Getenv("SUITES"), "../../../../shared/suites"} {
		file := filepath.Join(top, "w3c-vxml", "manifest.json")
		if _, err := os.Stat(file); top != "" && err == nil {
			return file
		}
	}
	t.Skip("the conformance suites are not there")
	return ""
}

// The W3C's tests pass on real calls, too: with SIP, RTP, telephone-events and the
// speech server, the caller doing what an obedient one does on the simulator.
func TestConformanceOnCalls(t *testing.T) {
	want := few
	if text := os.Getenv("CONFORMANCE_CALLS"); text != "" {
		if _, err := fmt.Sscan(text, &want); err != nil {
			t.Fatal(err)
		}
	}
	file := manifest(t)
	played, err := conformance.Play(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	chosen := sample(filepath.Dir(file), played, want)
	if len(chosen) < want {
		t.Errorf("%d tests can be played, want %d", len(chosen), want)
	}
	var mu sync.Mutex
	var rows []conformance.Row
	t.Run("calls", func(t *testing.T) {
		for _, p := range chosen {
			t.Run(p.ID, func(t *testing.T) {
				t.Parallel()
				row := conformance.Row{Suite: "w3c-vxml on calls", ID: p.ID, Section: p.Section, Outcome: conformance.Passed}
				if err := onCall(t, filepath.Dir(file), p); err != nil {
					row.Outcome, row.Reason = conformance.Failed, err.Error()
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				rows = append(rows, row)
			})
		}
	})
	report(t, rows)
}

// beyond is what the tests of the sample do not do, beside what nobody would hear;
// recording and transfer have tests of their own.
var beyond = regexp.MustCompile(`<record\b|<transfer\b|<object\b|fetchaudio|http://localhost`)

// sample chooses tests: first those in which the caller does something, of each
// group as many sections as there are.
func sample(dir string, all []conformance.Played, want int) []conformance.Played {
	var busy, idle []conformance.Played
	for _, p := range all {
		text, err := os.ReadFile(filepath.Join(dir, p.Entry))
		switch {
		case err != nil || p.Unheard || beyond.Match(text) || len(p.Steps) > 8 || slices.Contains(p.Steps, "hangup"):
		case len(p.Steps) == 0:
			idle = append(idle, p)
		default:
			busy = append(busy, p)
		}
	}
	chosen := append(spread(busy), spread(idle)...)
	return chosen[:min(want, len(chosen))]
}

// spread orders tests so that neighbours are of different sections.
func spread(all []conformance.Played) []conformance.Played {
	bySection := make(map[string][]conformance.Played)
	var sections []string
	for _, p := range all {
		if bySection[p.Section] == nil {
			sections = append(sections, p.Section)
		}
		bySection[p.Section] = append(bySection[p.Section], p)
	}
	var out []conformance.Played
	for round := 0; len(out) < len(all); round++ {
		for _, s := range sections {
			if round < len(bySection[s]) {
				out = append(out, bySection[s][round])
			}
		}
	}
	return out
}

// script is what a telephone does for the simulator's steps, and what the
// recognizer hears in them.
func script(steps []string) (lines string, heard []string) {
	out := []string{"listen"}
	for _, step := range steps {
		verb, what, _ := strings.Cut(step, ":")
		switch verb {
		case "dtmf":
			out = append(out, "dtmf "+strings.ReplaceAll(what, " ", ""))
		case "say":
			out = append(out, "say "+what)
			heard = append(heard, what)
		}
		out = append(out, "listen")
	}
	return strings.Join(append(out[:len(out)-1], "await"), ";"), heard
}

// onCall plays a test on a call.
func onCall(t *testing.T, dir string, p conformance.Played) error {
	lines, heard := script(p.Steps)
	r := newRig(t, func(c *node.Config) {
		c.Application.Default = strings.Replace(c.Application.Default, "/main.vxml", "/"+p.Entry, 1)
	})
	r.speech.engine.Hear(heard...)
	files := http.FileServer(http.Dir(dir))
	r.pages.server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if filepath.Ext(q.URL.Path) == ".txml" {
			w.Header().Set("Content-Type", "application/voicexml+xml")
		}
		files.ServeHTTP(w, q)
	})
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	_, err := r.call(ctx, lines)
	if err != nil && !errors.Is(err, caller.ErrHungUp) {
		return fmt.Errorf("the caller: %w", err)
	}
	r.record(1)
	var said []string
	for _, line := range r.log.lines("said") {
		said = append(said, strings.ToLower(strings.Trim(fmt.Sprint(line["text"]), " .!")))
	}
	switch {
	case slices.Contains(said, "fail"):
		return fmt.Errorf("a page said fail: %q", said)
	case p.Expect == conformance.Pass && !slices.Contains(said, "pass"):
		return fmt.Errorf("no page said pass: %q", said)
	}
	return nil
}

// report writes the outcomes where CONFORMANCE_OUT says.
func report(t *testing.T, rows []conformance.Row) {
	t.Helper()
	path := os.Getenv("CONFORMANCE_OUT")
	if path == "" {
		return
	}
	text, err := json.MarshalIndent(map[string]any{"results": rows}, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}
