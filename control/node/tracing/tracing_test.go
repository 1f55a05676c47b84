package tracing

import (
	"crypto/tls"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"mcp/control/reporting"
	"mcp/control/reporting/spans/spanstest"
	"mcp/control/sip/certs/certstest"
)

func TestSection(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Config)
		fault  string
	}{
		{"none", func(*Config) {}, ""},
		{"all", func(c *Config) { c.Endpoint, c.Parent = "https://collector:4318", "X-Traceparent" }, ""},
		{"endpoint without a scheme", func(c *Config) { c.Endpoint = "collector:4318" }, "endpoint"},
		{"ratio", func(c *Config) { c.Ratio = 1.5 }, "ratio"},
		{"key without certificate", func(c *Config) { c.KeyFile = "a.pem" }, "cert-file"},
		{"header", func(c *Config) { c.Parent = "a b" }, "parent-header"},
	} {
		c := Defaults()
		tt.change(&c)
		if err := c.Validate(); (err == nil) != (tt.fault == "") || err != nil && !strings.Contains(err.Error(), tt.fault) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	if tr, err := Defaults().Open("here", slog.Default()); tr != nil || err != nil {
		t.Errorf("without a collector: %v, %v", tr, err)
	}
	bad := filepath.Join(t.TempDir(), "headers")
	if err := os.WriteFile(bad, []byte("# comment\n\nsecret-without-a-name\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{bad, "/none"} {
		_, err := Config{Endpoint: "http://127.0.0.1:1", Headers: file}.Open("here", slog.Default())
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("headers of %s: %v", file, err)
		}
	}
}

// A collector over TLS that asks for a certificate and a token gets both; a token that is
// exchanged meanwhile is used from then on.
func TestCollectorThatAsksWhoIsThere(t *testing.T) {
	authority := certstest.New(t, "authority")
	var tokens []string
	collector := &spanstest.Collector{Fault: func(_ http.ResponseWriter, r *http.Request) bool {
		tokens = append(tokens, r.Header.Get("Authorization"))
		return len(r.TLS.PeerCertificates) == 0
	}}
	server := httptest.NewUnstartedServer(collector)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{authority.Pair()}, ClientCAs: authority.Pool(), ClientAuth: tls.RequireAndVerifyClientCert}
	server.StartTLS()
	defer server.Close()
	dir := t.TempDir()
	token := filepath.Join(dir, "headers")
	cert, key, ca := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), filepath.Join(dir, "ca.pem")
	authority.Issue(cert, key)
	authority.Write(ca)
	config := Config{Endpoint: server.URL, Ratio: 1, Headers: token, CAFile: ca, CertFile: cert, KeyFile: key}
	if err := os.WriteFile(token, []byte("Authorization: Bearer one\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tr, err := config.Open("here", slog.Default())
	if err != nil {
		t.Fatal(err)
	}
	r := reporting.Begin(uuid.Must(uuid.NewV7()).String(), time.Now())
	tr.Begun(r)
	r.Finish(time.Now(), reporting.End{})
	tr.Ended(r)
	if err := os.WriteFile(token, []byte("Authorization: Bearer two\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := tr.Close(); err != nil {
		t.Fatal(err)
	}
	if len(collector.Spans()) != 2 || len(tokens) != 1 || tokens[0] != "Bearer two" {
		t.Errorf("%d spans with %q", len(collector.Spans()), tokens)
	}
}
