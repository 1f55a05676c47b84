package discovery

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"mcp/control/discovery/consultest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// book is a log that tests read.
type book struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *book) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *book) count(words string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Count(b.text.String(), words)
}

func example(agent Agent) Config {
	return Config{
		Agent: agent, Interval: 5 * time.Millisecond,
		Service: Service{
			Name: "gvp-mcp", ID: "gvp-mcp-0", Address: "10.0.0.7", Port: 5070,
			Tags: []string{"blue"}, Meta: map[string]string{"role": "mcp"},
			Check: Check{URL: "http://10.0.0.7:8300/mcp/readiness", Deregister: time.Hour},
		},
	}
}

// start runs a registrar until the test ends or stop is called.
func start(t *testing.T, cfg Config, log *book) (r *Registrar, stop func()) {
	t.Helper()
	r, err := New(cfg, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := contextOf(t)
	var running sync.WaitGroup
	running.Go(func() { r.Run(ctx) })
	stop = func() { cancel(); running.Wait() }
	t.Cleanup(stop)
	return r, stop
}

// await waits until the agent's entry of the service is as wanted; nil: none.
func await(t *testing.T, a *consultest.Agent, want func(e *consultest.Entry) bool) {
	t.Helper()
	deadline := time.After(patience)
	for {
		all, changed := a.Services()
		var entry *consultest.Entry
		if e, found := all["gvp-mcp-0"]; found {
			entry = &e
		}
		if want(entry) {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("the agent has %+v", entry)
		}
	}
}

func there(e *consultest.Entry) bool { return e != nil }

func TestServiceIsRegisteredAsConfigured(t *testing.T) {
	a := consultest.Start(false)
	defer a.Close()
	r, stop := start(t, example(Agent{URL: a.URL}), &book{})
	await(t, a, func(e *consultest.Entry) bool {
		return e != nil && e.Name == "gvp-mcp" && e.Address == "10.0.0.7" && e.Port == 5070 &&
			slices.Equal(e.Tags, []string{"blue"}) && e.Meta["role"] == "mcp" &&
			e.Check.HTTP == "http://10.0.0.7:8300/mcp/readiness" && e.Check.Interval == "30s" &&
			e.Check.Timeout == "10s" && e.Check.DeregisterCriticalServiceAfter == "1h0m0s"
	})
	stop()
	if all, _ := a.Services(); len(all) != 0 || r.registered.Load() {
		t.Errorf("after the stop the agent has %v", all)
	}
}

func TestServiceIsRegisteredAgainAfterTheAgentLostIt(t *testing.T) {
	a := consultest.Start(false)
	defer a.Close()
	log := &book{}
	r, _ := start(t, example(Agent{URL: a.URL}), log)
	await(t, a, there)
	a.Forget()
	await(t, a, there)
	if log.count("registering it again") != 1 {
		t.Error("the log does not say so once")
	}
	r.Drain()
	await(t, a, func(e *consultest.Entry) bool { return e != nil && e.Maintenance == drainReason })
	a.Forget() // while it drains: it comes back in maintenance
	await(t, a, func(e *consultest.Entry) bool { return e != nil && e.Maintenance == drainReason })
}

// What is found out later is registered then: until there is a route to the agent the
// service is not.
func TestServiceIsLocatedWhenThatIsPossible(t *testing.T) {
	a := consultest.Start(false)
	defer a.Close()
	cfg, tries := example(Agent{URL: a.URL}), 0
	cfg.Service.Address = ""
	cfg.Locate = func(_ context.Context, s *Service) error {
		if tries++; tries < 3 {
			return errors.New("no route")
		}
		s.Address = "10.0.0.9"
		return nil
	}
	var log book
	_, stop := start(t, cfg, &log)
	await(t, a, func(e *consultest.Entry) bool { return there(e) && e.Address == "10.0.0.9" })
	stop()
	if n := log.count("no route"); n != 1 || tries != 3 {
		t.Errorf("logged %d times, located %d times", n, tries)
	}
}

func TestTroubleIsLoggedOnceAndEnds(t *testing.T) {
	a := consultest.Start(false)
	defer a.Close()
	a.Break(true)
	log := &book{}
	r, _ := start(t, example(Agent{URL: a.URL}), log)
	deadline := time.Now().Add(patience)
	for testutil.ToFloat64(r.failures) < 3 {
		if time.Now().After(deadline) {
			t.Fatal("failures are not counted")
		}
		time.Sleep(time.Millisecond)
	}
	if n := log.count("No cluster leader"); n != 1 {
		t.Errorf("logged %d times", n)
	}
	a.Break(false)
	await(t, a, there)
	for (!r.registered.Load() || log.count("Consul answers again") == 0) && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	if testutil.ToFloat64(r.state) != 1 || log.count("Consul answers again") != 1 {
		t.Error("the end of the trouble is not told")
	}
}

func TestTokenIsReadAnew(t *testing.T) {
	a := consultest.Start(false)
	defer a.Close()
	a.Require("old")
	file := filepath.Join(t.TempDir(), "token")
	write := func(token string) {
		if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("old")
	log := &book{}
	start(t, example(Agent{URL: a.URL, TokenFile: file, Token: "never"}), log)
	await(t, a, there)
	a.Require("new")
	a.Forget()
	write("new")
	await(t, a, there)
}

func TestTLS(t *testing.T) {
	a := consultest.Start(true)
	defer a.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.Certificate().Raw})
	if err := os.WriteFile(ca, cert, 0o600); err != nil {
		t.Fatal(err)
	}
	log := &book{}
	r, stop := start(t, example(Agent{URL: a.URL}), log) // does not know the authority
	deadline := time.Now().Add(patience)
	for testutil.ToFloat64(r.failures) < 1 && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	if all, _ := a.Services(); len(all) != 0 || log.count("certificate") == 0 {
		t.Error("an unknown authority is believed")
	}
	stop()
	start(t, example(Agent{URL: a.URL, CAFile: ca}), log)
	await(t, a, there)
}

func TestConfigurationIsChecked(t *testing.T) {
	for what, cfg := range map[string]Config{
		"no scheme": example(Agent{URL: "consul:8500"}),
		"no agent":  example(Agent{}),
		"no CA":     example(Agent{URL: "https://consul:8501", CAFile: "/nowhere/ca.pem"}),
		"no name":   {Agent: Agent{URL: "http://consul:8500"}, Service: Service{ID: "x"}},
	} {
		if _, err := New(cfg, slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("%s is accepted", what)
		}
	}
}
