package node

import (
	"net"
	"path/filepath"
	"strings"
	"testing"

	"mcp/control/doctor"
	"mcp/control/sip/certs/certstest"
)

// Whatever key of the configuration names a far end, it is called.
func TestDoctorCallsEveryFarEnd(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	cfg := Defaults()
	cfg.Media.Plane, cfg.Reporting.Journal = "socket", t.TempDir()
	cfg.Application.Default = "http://" + l.Addr().String() + "/main.vxml"
	cfg.Application.Numbers = map[string]string{"1800": "http://" + gone.Addr().String() + "/sales.vxml"}
	cfg.Discovery.Consul = "http://" + l.Addr().String()
	got := map[string]doctor.State{}
	for _, f := range Doctor(t.Context(), cfg) {
		got[f.Check] = f.State
		if f.Check == "media plane" && !strings.Contains(f.Detail, "sockets") {
			t.Errorf("%+v", f)
		}
	}
	for key, want := range map[string]doctor.State{
		"application.default": doctor.OK, "application.numbers.1800": doctor.Failure, "discovery.consul": doctor.OK, "kernel": doctor.OK, "codecs": doctor.OK,
	} {
		if got[key] != want {
			t.Errorf("%s: %q, want %q", key, got[key], want)
		}
	}
}

// A certificate is looked at together with the key that is named beside it.
func TestDoctorLooksAtCertificatesWithTheirKeys(t *testing.T) {
	a, dir := certstest.New(t, "authority"), t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	a.Issue(file("a.pem"), file("a.key"))
	a.Issue(file("b.pem"), file("b.key"))
	cfg := Defaults()
	cfg.Media.Plane, cfg.Reporting.Journal = "socket", t.TempDir()
	cfg.SIP.TLS.Certificate, cfg.SIP.TLS.Key = file("a.pem"), file("b.key")
	cfg.Reporting.Broker.Cert, cfg.Reporting.Broker.Key = file("a.pem"), file("b.key")
	cfg.Discovery.CertFile, cfg.Discovery.KeyFile = file("a.pem"), file("b.key")
	got := map[string]doctor.State{}
	for _, f := range Doctor(t.Context(), cfg) {
		got[f.Check] = f.State
	}
	for _, pair := range [][2]string{
		{"sip.tls.certificate", "sip.tls.key"}, {"reporting.broker.cert", "reporting.broker.key"}, {"discovery.cert-file", "discovery.key-file"},
	} {
		if got[pair[0]] != doctor.Failure || got[pair[1]] != doctor.OK {
			t.Errorf("%s: %q, %s: %q", pair[0], got[pair[0]], pair[1], got[pair[1]])
		}
	}
}
