package top

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"mcp/control/node/console"
	"mcp/control/reporting/recent"
)

// busy is a platform with calls.
func busy(calls int) report {
	at := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	r := report{console.Report{Overview: console.Overview{
		Look: console.Look{At: at, Calls: calls, Legs: 2 * calls, Received: 100, Sent: 99.6, Loss: 0.004},
		Host: "node-1", Started: at.Add(-3 * time.Hour), Plane: console.Plane{Mode: "xdp-native"}, Dropped: map[string]uint64{"peer": 3},
	}}}
	for i := range calls {
		id := fmt.Sprintf("01a21fec-688c-72e8-ab01-%012d", i)
		r.Calls = append(r.Calls, recent.Call{ID: id, From: "sip:+4930123456@sbc.example.com:5060;user=phone", To: "sip:1800@mcp.example.com", Begun: at.Add(-time.Duration(i) * time.Second)})
		for _, leg := range []string{"caller", "mrcp"} {
			r.Legs = append(r.Legs, console.Leg{Call: id, Name: leg, Far: "10.20.30.40:40000", Codec: "PCMU", Received: 50, Sent: 50, Keys: "sdes", SRTP: "AEAD_AES_128_GCM", Loss: float64(i) / 1000, Jitter: 3.2, MOS: 4.3})
		}
	}
	return r
}

func TestScreenFitsTheTerminal(t *testing.T) {
	for _, tt := range []struct{ calls, width, height int }{{0, 80, 24}, {3, 80, 24}, {40, 80, 24}, {40, 200, 50}, {40, 60, 10}} {
		screen := busy(tt.calls).screen(tt.width, tt.height)
		lines := strings.Split(strings.TrimSuffix(screen, "\n"), "\n")
		if len(lines) >= tt.height {
			t.Errorf("%+v: %d lines\n%s", tt, len(lines), screen)
		}
		for _, line := range lines {
			if utf8.RuneCountInString(line) > tt.width {
				t.Errorf("%+v: %d characters: %s", tt, utf8.RuneCountInString(line), line)
			}
		}
	}
}

func TestScreenTells(t *testing.T) {
	screen := busy(3).screen(160, 0)
	for _, want := range []string{"node-1", "up 3h00m" /* 180 min */, "xdp-native", "3 calls   6 legs   in 100/s   out 100/s   loss 0.4%   refused 3", "00000002", "4930123456", "4.3", "0.2%", "sdes AEAD_AES_128_GCM"} {
		if !strings.Contains(screen, want) {
			t.Errorf("%q is not in\n%s", want, screen)
		}
	}
	if first, last := strings.Index(screen, "00000002"), strings.Index(screen, "00000000 "); first > last {
		t.Errorf("the call with the most loss is not the first:\n%s", screen)
	}
}

// A call to the platform itself has a leg, which is counted, and no record.
func TestLegsOfUnknownCallsAreShown(t *testing.T) {
	r := busy(1)
	r.Calls = nil
	if screen := r.screen(160, 0); !strings.Contains(screen, "00000000 ") || !strings.Contains(screen, "mrcp") {
		t.Errorf("the legs are missing:\n%s", screen)
	}
}

func TestSpans(t *testing.T) {
	for d, want := range map[time.Duration]string{-1: "0s", 99 * time.Second: "99s", 100 * time.Second: "1m40s", 100 * time.Minute: "1h40m", 100 * time.Hour: "4d"} {
		if got := span(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

func TestConsoleIsAsked(t *testing.T) {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked++; r.URL.Path == "/api/report" {
			_ = json.NewEncoder(w).Encode(busy(1))
		}
	}))
	defer server.Close()
	run := func(args ...string) (string, error) {
		var out strings.Builder
		cmd := Command()
		cmd.SetArgs(args)
		cmd.SetOut(&out)
		cmd.SilenceErrors, cmd.SilenceUsage = true, true
		err := cmd.ExecuteContext(t.Context())
		return out.String(), err
	}
	out, err := run("--once", "--json", "--url", server.URL)
	var r report
	if err != nil || json.Unmarshal([]byte(out), &r) != nil || len(r.Calls) != 1 || len(r.Legs) != 2 {
		t.Errorf("%v: %s", err, out)
	}
	if asked != 1 {
		t.Errorf("the console was asked %d times: totals and rows are of different moments", asked)
	}
	if out, err := run("--once", "--url", server.URL+"/"); err != nil || !strings.Contains(out, "caller") {
		t.Errorf("%v: %s", err, out)
	}
	narrow, err := run("--once", "--url", server.URL)
	wide, wideErr := run("--once", "--wide", "--url", server.URL)
	if err != nil || wideErr != nil || strings.Contains(narrow, "10.20.30.40:40000") || !strings.Contains(wide, "10.20.30.40:40000") {
		t.Errorf("%v, %v: not all columns are in\n%s\nor all are in\n%s", err, wideErr, wide, narrow)
	}
	server.Close()
	if _, err := run("--once", "--url", server.URL); err == nil || !strings.Contains(err.Error(), "health.console.listen") {
		t.Errorf("nobody answers: %v", err)
	}
}

func TestPasswordIsWanted(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }))
	defer server.Close()
	v := viewer{url: server.URL, http: server.Client()}
	if _, err := v.ask(t.Context()); err == nil || !strings.Contains(err.Error(), "--password-file") {
		t.Errorf("%v", err)
	}
}
