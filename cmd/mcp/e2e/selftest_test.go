package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"mcp/control/health"
	"mcp/control/node"
	"mcp/control/node/signalling"
	"mcp/control/reporting"
	"mcp/control/reporting/journal"
	"mcp/control/sip/certs/certstest"
)

// readiness asks for the probe, and returns what it says of the self-test.
func (r *rig) readiness() (status int, test health.Result) {
	r.t.Helper()
	resp, err := http.Get("http://" + r.probes + "/mcp/readiness")
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	var report health.Report
	if err := json.NewDecoder(resp.Body).Decode(&report); err != nil {
		r.t.Fatal(err)
	}
	for _, c := range report.Checks {
		if c.Name == "self-test" {
			return resp.StatusCode, c
		}
	}
	r.t.Errorf("no self-test in %+v", report)
	return resp.StatusCode, health.Result{}
}

func (r *rig) selfTests(outcome string) string {
	return r.metric(`mcp_selftest_calls_total{outcome="` + outcome + `"}`)
}

// The platform calls itself however callers must call it, and the call is nobody's.
func TestSelfTestCalls(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	ca := certstest.New(t, "ca")
	ca.Issue(at("cert"), at("key"))
	ca.Write(at("ca"))
	if err := os.WriteFile(at("password"), []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		change func(*node.Config)
	}{
		{"over TCP", func(*node.Config) {}},
		{"over UDP", func(c *node.Config) { c.SIP.Listen = []string{"udp:127.0.0.1:0"} }},
		{"over TLS, with certificates on both sides", func(c *node.Config) {
			c.SIP.Listen = []string{"tls:127.0.0.1:0"}
			c.SIP.TLS = signalling.TLS{Certificate: at("cert"), Key: at("key"), Authorities: at("ca"), Mutual: true}
		}},
		{"who must prove who they are", func(c *node.Config) {
			c.SIP.Callers = signalling.Account{Realm: "gvp", User: "mcp", PasswordFile: at("password")}
		}},
		{"while calls go out through others", func(c *node.Config) { c.SIP.Routes = []string{"sip:127.0.0.1:9;transport=tcp"} }},
		{"in wideband", func(c *node.Config) { c.Media.Codecs = []string{"G722"} }},
		{"with an address of its own for audio", func(c *node.Config) { c.Media.Address = netip.MustParseAddr("127.0.0.1") }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, tt.change)
			if status, test := r.readiness(); status != 200 || !test.Healthy {
				t.Fatalf("readiness %d, %+v", status, test)
			}
			if n := r.selfTests("passed"); n != "1" {
				t.Errorf("%s calls", n)
			}
			r.nothingLeft()
			for stored := range reporting.Read(r.cfg.Reporting.Journal, journal.Position{}) {
				t.Errorf("left a record: %+v", stored)
			}
		})
	}
}

// A platform that is full is as ready as it was, and one that drains is not ready.
func TestSelfTestWhenFullAndDraining(t *testing.T) {
	r := newRig(t, func(c *node.Config) {
		c.Calls.Max, c.Health.SelfTest.Interval, c.Calls.Drain = 1, time.Nanosecond, patience
	})
	r.pages.page("/main.vxml", `<form><field name="x" type="digits?length=1"><property name="timeout" value="60s"/></field></form>`)
	if status, test := r.readiness(); status != 200 {
		t.Fatalf("readiness %d, %+v", status, test)
	}
	ctx, hangUp := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _, _ = r.call(ctx, "await") }() // until it is cut off
	await(t, "the call to be up", func() bool { return r.metric("mcp_calls_active") == "1" })
	tested := r.selfTests("passed")
	if status, test := r.readiness(); status != 200 || !test.Healthy {
		t.Errorf("full: readiness %d, %+v", status, test)
	}
	if n := r.selfTests("passed"); n != tested {
		t.Errorf("a full platform was called: %s calls, %s before", n, tested)
	}
	r.stop()
	await(t, "the drain", func() bool { status, _ := r.readiness(); return status == 503 })
	if _, test := r.readiness(); !test.Healthy {
		t.Errorf("draining: the self-test says %+v; what fails is that calls are accepted", test)
	}
	hangUp()
	<-done
}
