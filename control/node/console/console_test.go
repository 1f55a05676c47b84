package console

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mcp/control/media"
	"mcp/control/media/codec"
	"mcp/control/media/socket"
	"mcp/control/reporting"
	"mcp/control/reporting/recent"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// parts are those of a platform with one call, whose leg is open.
func parts(t *testing.T) Parts {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	plane := socket.New("for a test", log)
	engine, err := media.NewEngine(media.Config{}, plane, log)
	if err != nil {
		t.Fatal(err)
	}
	session := engine.NewSession("one")
	leg, err := session.OpenLeg("caller", netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	if err := leg.Connect(media.FarEnd{RTP: netip.MustParseAddrPort("127.0.0.1:46000"), Send: true, Receive: true, ClockRate: 8000}, codec.PCMU); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		session.Close()
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
		if err := plane.Close(); err != nil {
			t.Error(err)
		}
	})
	calls := &recent.Calls{}
	offered(calls)
	return Parts{Calls: calls, Engine: engine, SIP: []string{"tcp:127.0.0.1:5070"}, Log: log}
}

// offered begins a call.
func offered(calls *recent.Calls) (happened func(*reporting.Event)) {
	r := reporting.Begin("one", time.Now())
	r.Parties.Remote = `sip:<script>alert(1)</script>@h`
	happened = calls.Begun(r)
	happened(&reporting.Event{Call: "one", Name: string(reporting.StepReceived), Text: "INVITE"})
	return happened
}

func open(t *testing.T, cfg Config) *Console {
	t.Helper()
	cfg.Listen = "127.0.0.1:0"
	return openWith(t, cfg, parts(t))
}

func openWith(t *testing.T, cfg Config, p Parts) *Console {
	t.Helper()
	c, err := Open(cfg, p)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	return c
}

func fetch(t *testing.T, req *http.Request) (*http.Response, string) {
	t.Helper()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

func get(t *testing.T, c *Console, path string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, "http://"+c.Addr()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return fetch(t, req)
}

func TestAnswers(t *testing.T) {
	c := open(t, Config{})
	c.look(time.Now().Add(time.Second))
	for path, want := range map[string]string{
		"/":                 "<title>MCP console</title>",
		"/app.js":           "refresh()",
		"/style.css":        "prefers-color-scheme",
		"/api/overview":     `"mode":"socket","reason":"for a test"`,
		"/api/calls":        `"id":"one"`,
		"/api/calls/one":    `"name":"sip_received","text":"INVITE"`,
		"/api/report":       `"calls":[{"id":"one",`,
		"/api/legs":         `"call":"one","leg":"caller"`,
		"/api/calls/nobody": "not remembered",
	} {
		res, body := get(t, c, path)
		if !strings.Contains(body, want) {
			t.Errorf("%s: %s\n%s", path, res.Status, body)
		}
		if csp := res.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || res.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: policy %q", path, csp)
		}
	}
	var d recent.Details
	if _, body := get(t, c, "/api/calls/one"); json.Unmarshal([]byte(body), &d) != nil || len(d.Samples) != 1 || d.Samples[0].Leg != "caller" {
		t.Errorf("details %+v", d)
	}
}

// Pages load nothing from elsewhere, and nothing that was written by a caller becomes markup.
func TestAssetsStandAlone(t *testing.T) {
	names, err := assets.ReadDir("assets")
	if err != nil || len(names) < 5 {
		t.Fatalf("%v, %v", names, err)
	}
	for _, n := range names {
		text, err := assets.ReadFile("assets/" + n.Name())
		if err != nil {
			t.Fatal(err)
		}
		plain := strings.ReplaceAll(string(text), "http://www.w3.org/2000/svg", "")
		for _, banned := range []string{"https://", "http://", "innerHTML", "insertAdjacentHTML", "eval(", "document.write", "@import", "style="} {
			if strings.Contains(strings.ReplaceAll(plain, "http://h/a.vxml", ""), banned) {
				t.Errorf("%s has %q", n.Name(), banned)
			}
		}
	}
}

func TestOnlyReading(t *testing.T) {
	c := open(t, Config{})
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodPatch} {
		req, err := http.NewRequest(method, "http://"+c.Addr()+"/api/calls", strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		if res, _ := fetch(t, req); res.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("%s: %s", method, res.Status)
		}
	}
}

// A web site whose name was made to lead here is told nothing.
func TestHosts(t *testing.T) {
	c := open(t, Config{Hosts: []string{"console.example"}})
	for host, want := range map[string]int{
		"127.0.0.1:8380": 200, "[::1]:8380": 200, "localhost": 200, "Console.Example:443": 200,
		"evil.example": 421, "127.0.0.1.evil.example:8380": 421, "": 200, // the client sends the address
	} {
		req, err := http.NewRequest(http.MethodGet, "http://"+c.Addr()+"/api/calls", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		if res, body := fetch(t, req); res.StatusCode != want {
			t.Errorf("%q: %s %s", host, res.Status, body)
		}
	}
}

func TestPassword(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := open(t, Config{User: "operator", PasswordFile: file})
	for _, tt := range []struct {
		user, password string
		want           int
	}{{"", "", 401}, {"operator", "wrong", 401}, {"other", "secret", 401}, {"operator", "secret", 200}} {
		req := httptest.NewRequest(http.MethodGet, "http://"+c.Addr()+"/", nil)
		req.RequestURI = ""
		if tt.user != "" {
			req.SetBasicAuth(tt.user, tt.password)
		}
		if res, _ := fetch(t, req); res.StatusCode != tt.want {
			t.Errorf("%s:%s: %s", tt.user, tt.password, res.Status)
		}
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Config{Listen: "127.0.0.1:0", PasswordFile: file}, Parts{}); err == nil {
		t.Error("an empty password is one")
	}
}

func TestSection(t *testing.T) {
	for _, tt := range []struct {
		config Config
		fine   bool
	}{
		{Defaults(), true},
		{Config{}, true},
		{Config{Listen: "localhost:1"}, true},
		{Config{Listen: "0.0.0.0:8380"}, false},
		{Config{Listen: ":8380"}, false},
		{Config{Listen: "0.0.0.0:8380", PasswordFile: "x"}, true},
		{Config{Listen: "nonsense"}, false},
	} {
		if err := tt.config.Validate(); (err == nil) != tt.fine {
			t.Errorf("%+v: %v", tt.config, err)
		}
	}
	if c, err := Open(Config{}, Parts{}); c != nil || err != nil {
		t.Errorf("%v, %v", c, err)
	}
}

// Rates are of the time between two looks, and a port's next leg begins anew.
func TestRates(t *testing.T) {
	v := media.LegView{Stats: media.LegStats{RxPackets: 200, TxPackets: 300, RxLost: 20}}
	leg, came, lost := legOf(v, media.LegStats{RxPackets: 110, TxPackets: 200, RxLost: 10}, 2)
	if leg.Received != 45 || leg.Sent != 50 || came != 90 || lost != 10 || leg.Loss != 0.1 {
		t.Errorf("%+v, %v came, %v lost", leg, came, lost)
	}
	if leg, _, _ := legOf(v, media.LegStats{RxPackets: 9999}, 2); leg.Received != 100 {
		t.Errorf("%+v", leg)
	}
}
