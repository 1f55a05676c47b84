package console

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"mcp/control/reporting"
	"mcp/control/reporting/recent"
)

// browser is a headless one; there is none on every machine.
func browser(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("a browser takes seconds")
	}
	for _, name := range []string{"chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("no chromium is installed; scripts/setup.sh installs one")
	return ""
}

// rendered is what a page has become once its scripts have run.
func rendered(t *testing.T, program, url string) (dom, log string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var said strings.Builder
	cmd := exec.CommandContext(ctx, program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
		"--user-data-dir="+t.TempDir(), "--enable-logging=stderr", "--virtual-time-budget=4000", "--dump-dom", url)
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
	return string(out), said.String()
}

// A browser draws the calls and one call's diagram, runs nothing that a caller wrote,
// and finds nothing that the pages' policy forbids.
func TestBrowserDrawsTheConsole(t *testing.T) {
	program := browser(t)
	p := parts(t)
	c := openWith(t, Config{Listen: "127.0.0.1:0"}, p)
	happened := offered(p.Calls)
	for i, e := range []struct{ name, text string }{
		{string(reporting.StepSent), "200 OK"}, {string(reporting.StepReceived), "ACK"}, {"incall_begin", ""},
		{string(reporting.StepFetched), "GET http://web/main.vxml: 200 in 3 ms, 812 bytes"}, {"form_enter", "not shown"}, {string(reporting.StepPromptPlay), `<img src=x onerror="document.title='owned'">`},
		{string(reporting.StepSpeechSent), "RECOGNIZE 1"}, {string(reporting.StepSpeechReceived), "1 407 COMPLETE"}, {string(reporting.StepASRTrace), "match|0.90|sales"}, {string(reporting.StepReceived), "BYE"},
	} {
		happened(&reporting.Event{Call: "one", Name: e.name, Text: e.text, Offset: int64(i) * 900})
	}
	for i := range 10 {
		p.Calls.Sampled("one", time.Now().Add(time.Duration(i)*time.Second), recent.Sample{Leg: "caller", Jitter: float64(i), MOS: 4.2, Received: 50, Sent: 50})
	}
	for path, wants := range map[string][]string{
		"#/":         {"Calls up", "Media plane", "for a test", "tcp:127.0.0.1:5070", `href="#/call/one"`, "&lt;script&gt;alert(1)&lt;/script&gt;", `<span class="tag up">up</span>`},
		"#/call/one": {`class="message sip"`, ">INVITE<", ">200 OK<", `class="message http"`, "GET /main.vxml 200, 3 ms", `class="message speech failed"`, "1 407 COMPLETE", "hears: sales (match, 0.90)", "says: &lt;img", "Web server", "Speech server", "<polyline", "Jitter"},
		"#/call/two": {"not remembered any more"},
	} {
		dom, log := rendered(t, program, fmt.Sprintf("http://%s/%s", c.Addr(), path))
		for _, want := range wants {
			if !strings.Contains(dom, want) {
				t.Errorf("%s has no %q:\n%s", path, want, dom)
			}
		}
		if !strings.Contains(dom, "<title>MCP console</title>") || strings.Contains(dom, "<script>alert") || strings.Contains(dom, `<img src="x"`) {
			t.Errorf("%s: what a caller wrote has become markup:\n%s", path, dom)
		}
		for line := range strings.Lines(log) {
			if strings.Contains(line, "CONSOLE") && !strings.Contains(line, "404") {
				t.Errorf("%s: the browser complains: %s", path, line)
			}
		}
	}
}
