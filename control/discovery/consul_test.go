package discovery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
)

func contextOf(t *testing.T) (context.Context, context.CancelFunc) {
	return context.WithCancel(t.Context())
}

// consul starts a real agent on free ports of loopback and waits for it.
func consul(t *testing.T, binary string) (client *api.Client, url string) {
	t.Helper()
	port := func() int {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		return l.Addr().(*net.TCPAddr).Port
	}
	http := port()
	cmd := exec.Command(binary, "agent", "-dev", "-bind=127.0.0.1", "-client=127.0.0.1", "-node=test",
		"-disable-host-node-id", "-log-level=warn", "-dns-port=-1", "-grpc-port=-1",
		fmt.Sprintf("-http-port=%d", http), fmt.Sprintf("-server-port=%d", port()),
		fmt.Sprintf("-serf-lan-port=%d", port()), fmt.Sprintf("-serf-wan-port=%d", port()),
		"-hcl", "ports { grpc_tls = -1 }")
	cmd.Dir, cmd.Stderr = t.TempDir(), os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait() // it tells of the interrupt
	})
	address := fmt.Sprintf("127.0.0.1:%d", http)
	client, err := api.NewClient(&api.Config{Address: address})
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if leader, err := client.Status().Leader(); err == nil && leader != "" {
			return client, "http://" + address
		}
		if time.Now().After(deadline) {
			t.Fatal("the agent does not start")
		}
	}
}

// TestRealAgent runs where a consul is on the path; everywhere else the other
// tests hold the registrar to a stand-in that follows the agent's HTTP API.
func TestRealAgent(t *testing.T) {
	binary, err := exec.LookPath("consul")
	if errors.Is(err, exec.ErrNotFound) {
		t.Skip("no consul on the path: registration was tested against the stand-in only")
	}
	client, url := consul(t, binary)
	ready := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer ready.Close()
	cfg := example(Agent{URL: url})
	cfg.Service.Check = Check{URL: ready.URL, Interval: 100 * time.Millisecond}
	r, stop := start(t, cfg, &book{})

	until := func(what string, want func([]*api.ServiceEntry) bool) {
		t.Helper()
		for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
			entries, _, err := client.Health().Service("gvp-mcp", "", false, nil)
			if err == nil && want(entries) {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("not %s: %v, %v", what, entries, err)
			}
		}
	}
	status := func(want string) func([]*api.ServiceEntry) bool {
		return func(entries []*api.ServiceEntry) bool {
			return len(entries) == 1 && entries[0].Checks.AggregatedStatus() == want && entries[0].Service.Port == 5070
		}
	}
	until("passing", status(api.HealthPassing))
	if err := client.Agent().ServiceDeregister("gvp-mcp-0"); err != nil {
		t.Fatal(err)
	}
	until("registered again", status(api.HealthPassing))
	r.Drain()
	until("in maintenance", status(api.HealthMaint))
	stop()
	until("gone", func(entries []*api.ServiceEntry) bool { return len(entries) == 0 })
	slog.Info("registration was tested against a real Consul agent")
}
