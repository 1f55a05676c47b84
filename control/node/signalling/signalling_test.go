package signalling

import (
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"mcp/control/sip/certs/certstest"
)

func TestSection(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	ca := certstest.New(t, "ca")
	ca.Issue(at("cert"), at("key"))
	ca.Write(at("ca"))
	if err := os.WriteFile(at("password"), []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name   string
		change func(*Config)
		fine   bool
	}{
		{"defaults", func(*Config) {}, true},
		{"everything", func(c *Config) {
			c.Listen = []string{"tls:127.0.0.1:0", "udp:[::1]:0"}
			c.TLS = TLS{Certificate: at("cert"), Key: at("key"), Authorities: at("ca"), Mutual: true}
			c.Routes = []string{"sip:rm1:5060;transport=tcp", "sips:rm2"}
			c.Account = Account{"gvp", "mcp", at("password")}
			c.Callers = Account{"gvp", "rm", at("password")}
		}, true},
		{"route of another scheme", func(c *Config) { c.Routes = []string{"http://rm"} }, false},
		{"account without a user", func(c *Config) { c.Account.Realm = "gvp" }, false},
		{"password that is not there", func(c *Config) { c.Account = Account{"gvp", "mcp", at("nowhere")} }, false},
		{"certificate that is none", func(c *Config) { c.TLS = TLS{Certificate: at("password"), Key: at("key")} }, false},
		{"TLS without certificate", func(c *Config) { c.Listen = []string{"tls:127.0.0.1:0"} }, false},
	} {
		c := Defaults()
		c.Listen = []string{"tcp:127.0.0.1:0"}
		tc.change(&c)
		err := c.Validate()
		if err == nil {
			err = c.Account.Validate()
		}
		if err == nil {
			agent, opened := c.Open(prometheus.NewRegistry(), slog.New(slog.NewTextHandler(io.Discard, nil)))
			if err = opened; err == nil {
				agent.Close()
			}
		}
		if (err == nil) != tc.fine {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}
