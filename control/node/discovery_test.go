package node

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"mcp/control/discovery/consultest"
)

// A platform that is told of an agent registers what it listens on, with its own
// readiness as the check, and takes it off when it has stopped.
func TestPlatformIsRegisteredWhileItRuns(t *testing.T) {
	agent := consultest.Start(false)
	defer agent.Close()
	cfg := Defaults()
	cfg.SIP.Listen = []string{"tcp:127.0.0.1:0"}
	cfg.Media.Plane = "socket"
	cfg.Health.Listen = "127.0.0.1:0"
	cfg.Reporting.Journal = t.TempDir()
	cfg.Discovery.Consul, cfg.Discovery.ID = agent.URL, "gvp-mcp-test"
	ctx, stop := context.WithCancel(t.Context())
	var log bytes.Buffer
	var running sync.WaitGroup
	running.Go(func() {
		if err := Run(ctx, cfg, nil, slog.New(slog.NewTextHandler(&log, nil))); err != nil {
			t.Error(err)
		}
	})
	e := entry(t, agent, func(all map[string]consultest.Entry) bool { return len(all) == 1 })
	conn, err := net.DialTimeout("tcp", fmt.Sprintf("%s:%d", e.Address, e.Port), time.Second)
	if err != nil {
		t.Errorf("what is registered cannot be reached: %v", err)
	} else {
		conn.Close()
	}
	if e.Name != "gvp-mcp" || !strings.HasPrefix(e.Check.HTTP, "http://127.0.0.1:") || !strings.HasSuffix(e.Check.HTTP, "/mcp/readiness") {
		t.Errorf("%+v, check %+v", e.AgentServiceRegistration, e.Check)
	}
	stop()
	running.Wait()
	if all, _ := agent.Services(); len(all) != 0 {
		t.Errorf("after the stop: %v\n%s", all, log.String())
	}
}

func entry(t *testing.T, a *consultest.Agent, want func(map[string]consultest.Entry) bool) consultest.Entry {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		all, changed := a.Services()
		if want(all) {
			return all["gvp-mcp-test"]
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("the agent has %v", all)
		}
	}
}
