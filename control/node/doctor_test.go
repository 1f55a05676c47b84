package node

import (
	"crypto/tls"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"mcp/control/doctor"
	"mcp/control/node/speaking"
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

// secured is where somebody answers TLS with a certificate of an authority.
func secured(t *testing.T, a *certstest.Authority) string {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{a.Pair()}})
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_ = errors.Join(conn.(*tls.Conn).HandshakeContext(t.Context()), conn.Close())
		}
	})
	t.Cleanup(func() {
		l.Close()
		serving.Wait()
	})
	return l.Addr().String()
}

// Far ends are believed by the authorities that are configured for them, as calls
// believe them, and by no others.
func TestDoctorBelievesConfiguredAuthorities(t *testing.T) {
	dir := t.TempDir()
	authority := func(name string) (address, file string) {
		a := certstest.New(t, name)
		file = filepath.Join(dir, name+".pem")
		a.Write(file)
		return secured(t, a), file
	}
	sip, sipFile := authority("sip")
	speech, speechFile := authority("speech")
	web, webFile := authority("web")
	broker, brokerFile := authority("broker")
	consul, consulFile := authority("consul")
	stranger, _ := authority("stranger")
	cfg := Defaults()
	cfg.Media.Plane, cfg.Reporting.Journal = "socket", t.TempDir()
	cfg.SIP.TLS.Authorities, cfg.SIP.Routes = sipFile, []string{"sips:" + sip}
	cfg.Transfers.Gateway = "sips:" + stranger
	cfg.Speech.MRCP.TLS.Authorities, cfg.Speech.MRCP.URI = speechFile, "rtsps://"+speech
	cfg.Speech.MRCP.Servers = append(cfg.Speech.MRCP.Servers, speaking.MRCPServer{URI: "sip:" + sip + ";transport=tls"})
	cfg.Fetch.TLS.Authorities, cfg.Application.Default = webFile, "https://"+web+"/main.vxml"
	cfg.Reporting.Broker.CA, cfg.Reporting.Broker.URLs = brokerFile, []string{"ssl://" + broker}
	cfg.Discovery.CAFile, cfg.Discovery.Consul = consulFile, "https://"+consul
	cfg.Health.Tracing.Endpoint = "https://" + stranger
	got := map[string]doctor.Finding{}
	for _, f := range Doctor(t.Context(), cfg) {
		got[f.Check] = f
	}
	for key, want := range map[string]doctor.State{
		"sip.routes": doctor.OK, "transfers.gateway": doctor.Failure, "speech.mrcp.uri": doctor.OK, "speech.mrcp.servers.uri": doctor.OK,
		"application.default": doctor.OK, "reporting.broker.urls": doctor.OK, "discovery.consul": doctor.OK, "health.tracing.endpoint": doctor.Warning,
	} {
		if f := got[key]; f.State != want || want == doctor.Failure && !strings.Contains(f.Advice, sipFile) {
			t.Errorf("%s: %+v, want %q", key, f, want)
		}
	}
}
