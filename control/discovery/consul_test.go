package discovery

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"mcp/control/discovery/consultest"
)

func contextOf(t *testing.T) (context.Context, context.CancelFunc) {
	return context.WithCancel(t.Context())
}

// management is the ACL token that may do everything.
const management = "0b1c5ee7-0000-4000-8000-000000000001"

// consul is a real agent that speaks HTTPS on loopback, knows ACL tokens and keeps
// nothing on disk, so that it has lost everything when it is started again.
type consul struct {
	t      *testing.T
	binary string
	ports  [4]int // of HTTPS, servers, the LAN and the WAN
	dir    string // of certificates
	cmd    *exec.Cmd
	client *api.Client
}

func newConsul(t *testing.T, binary string) *consul {
	c := &consul{t: t, binary: binary, dir: t.TempDir()}
	for i := range c.ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		c.ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	secure := consultest.Start(true) // for its certificate, which is one of 127.0.0.1
	defer secure.Close()
	writePair(t, secure.TLS.Certificates[0], c.file("cert.pem"), c.file("key.pem"))
	var err error
	c.client, err = api.NewClient(&api.Config{
		Address: c.url()[len("https://"):], Scheme: "https", Token: management, TLSConfig: api.TLSConfig{CAFile: c.file("cert.pem")},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *consul) file(name string) string { return filepath.Join(c.dir, name) }

func (c *consul) url() string { return fmt.Sprintf("https://127.0.0.1:%d", c.ports[0]) }

func writePair(t *testing.T, pair tls.Certificate, cert, key string) {
	t.Helper()
	private, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: pair.Certificate[0]}, key: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// start starts the agent and waits until it has a leader.
func (c *consul) start() {
	c.t.Helper()
	config := fmt.Sprintf(`ports { http = -1, https = %d, dns = -1, grpc = -1, grpc_tls = -1, server = %d, serf_lan = %d, serf_wan = %d }
tls { defaults { cert_file = %q, key_file = %q } }
acl { enabled = true, default_policy = "deny", tokens { initial_management = %q, agent = %q } }`,
		c.ports[0], c.ports[1], c.ports[2], c.ports[3], c.file("cert.pem"), c.file("key.pem"), management, management)
	c.cmd = exec.Command(c.binary, "agent", "-dev", "-bind=127.0.0.1", "-client=127.0.0.1", "-node=test",
		"-disable-host-node-id", "-log-level=error", "-hcl", config)
	c.cmd.Dir, c.cmd.Stderr = c.t.TempDir(), os.Stderr
	if err := c.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if leader, err := c.client.Status().Leader(); err == nil && leader != "" {
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatal("the agent does not start")
		}
	}
}

func (c *consul) stop() {
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait() // it tells of the kill
}

// token makes a token that may do what a registration takes and nothing else.
func (c *consul) token() string {
	c.t.Helper()
	policy, _, err := c.client.ACL().PolicyCreate(&api.ACLPolicy{Name: "gvp-mcp", Rules: `service "gvp-mcp" { policy = "write" }`}, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	token, _, err := c.client.ACL().TokenCreate(&api.ACLToken{Policies: []*api.ACLLink{{ID: policy.ID}}}, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	return token.SecretID
}

// until waits for the catalogue to have the service as wanted.
func (c *consul) until(what string, want func([]*api.ServiceEntry) bool) {
	c.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		entries, _, err := c.client.Health().Service("gvp-mcp", "", false, nil)
		if err == nil && want(entries) {
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("not %s: %v, %v", what, entries, err)
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
	agent := newConsul(t, binary)
	agent.start()
	defer func() { agent.stop() }()
	ready := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer ready.Close()
	token := filepath.Join(t.TempDir(), "token")
	enter := func(text string) {
		if err := os.WriteFile(token, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	enter("00000000-0000-4000-8000-000000000000") // which the agent does not know
	cfg := example(Agent{URL: agent.url(), TokenFile: token, CAFile: agent.file("cert.pem")})
	cfg.Service.Check = Check{URL: ready.URL, Interval: 100 * time.Millisecond}
	log := &book{}
	r, stop := start(t, cfg, log)
	for deadline := time.Now().Add(patience); log.count("ACL not found") == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a token that the agent does not know is no trouble")
		}
	}
	enter(agent.token())
	status := func(want string) func([]*api.ServiceEntry) bool {
		return func(entries []*api.ServiceEntry) bool {
			return len(entries) == 1 && entries[0].Checks.AggregatedStatus() == want && entries[0].Service.Port == 5070
		}
	}
	agent.until("passing", status(api.HealthPassing))
	agent.stop()
	agent.start()
	enter(agent.token()) // tokens are gone, too
	agent.until("registered again", status(api.HealthPassing))
	r.Drain()
	agent.until("in maintenance", status(api.HealthMaint))
	stop()
	agent.until("gone", func(entries []*api.ServiceEntry) bool { return len(entries) == 0 })
	slog.Info("registration was tested against a real Consul agent")
}
