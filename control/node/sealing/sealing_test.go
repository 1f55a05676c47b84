package sealing

import (
	"encoding/pem"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"mcp/control/certs"
	"mcp/control/certs/certstest"
)

// Each source that can be configured gives its certificate.
func TestSources(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, text []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	web := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(certstest.PEM(t, "web"))
	}))
	defer web.Close()
	ca := file("ca", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw}))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	certstest.Gateway(t, l, func(q certs.Question) any {
		if q.Password != "secret" || q.Application != "default" {
			return certs.Answer{Version: 1, Error: "who are you?"}
		}
		return certs.Answer{Version: 1, Certificates: []string{string(certstest.PEM(t, "gate"))}}
	})
	for want, change := range map[string]func(*Config){
		"file": func(c *Config) { c.Files = []string{file("a.pem", certstest.PEM(t, "file"))} },
		"web":  func(c *Config) { c.URL, c.CAFile = web.URL, ca },
		"gate": func(c *Config) {
			c.Gateway, c.User, c.PasswordFile = l.Addr().String(), "mcp", file("password", []byte("secret\n"))
		},
	} {
		c := Defaults()
		change(&c)
		if err := c.Validate(); err != nil {
			t.Errorf("%s: %v", want, err)
		}
		k, err := c.Keeper(t.Context(), prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		all, err := k.Certificates()
		if err != nil || len(all) != 1 || all[0].Subject.CommonName != want {
			t.Errorf("%s: %v, %v", want, all, err)
		}
	}
	if k, err := Defaults().Keeper(t.Context(), prometheus.NewRegistry(), slog.New(slog.DiscardHandler)); k != nil || err != nil {
		t.Errorf("with no source: %v, %v", k, err)
	}
}

func TestSectionIsChecked(t *testing.T) {
	for what, change := range map[string]func(*Config){
		"two sources": func(c *Config) { c.Files, c.URL = []string{"a"}, "https://b" },
		"no query":    func(c *Config) { c.DatabaseFile = "a" },
		"no interval": func(c *Config) { c.Interval = 0 },
	} {
		c := Defaults()
		change(&c)
		if c.Validate() == nil {
			t.Errorf("%s is accepted", what)
		}
	}
	for what, change := range map[string]func(*Config){
		"no password":    func(c *Config) { c.Gateway, c.PasswordFile = "a:8888", "/nowhere" },
		"no authorities": func(c *Config) { c.URL, c.CAFile = "https://a", "/nowhere" },
		"no database":    func(c *Config) { c.DatabaseFile, c.Query = "/nowhere", "SELECT" },
	} {
		c := Defaults()
		change(&c)
		if _, err := c.Keeper(t.Context(), prometheus.NewRegistry(), slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("%s is accepted", what)
		}
	}
}
