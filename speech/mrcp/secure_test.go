package mrcp_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"testing"
	"time"

	"mcp/speech"
	"mcp/speech/mrcp"
	"mcp/speech/mrcp/mrcptest"
	"mcp/speech/mrcp/v1"
	"mcp/speech/mrcp/v2"
)

// certificate makes one for 127.0.0.1 that signs itself.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "speech"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// secured is a rig over TLS.
func secured(t *testing.T, v version, own tls.Certificate, client *tls.Config) *rig {
	return newRigOf(t, mrcptest.Config{RTSP: v == version1, TLS: &tls.Config{Certificates: []tls.Certificate{own}}}, nil, func(r *rig) {
		cfg := mrcp.Config{Servers: []mrcp.Server{{URI: "sip:x@127.0.0.1"}}}
		var carriage mrcp.Carriage = v2.New(v2.Config{TLS: client}, r.dialer, testLog(t))
		if v == version1 {
			cfg.Servers[0].URI = r.server.URI()
			carriage = v1.New(v1.Config{TLS: client}, testLog(t))
		}
		r.client = mrcp.NewClient(cfg, carriage, testLog(t))
	})
}

// MRCP goes over TLS: MRCPv2 with a certificate that the answer names, MRCPv1 with
// one that verifies.
func TestTLS(t *testing.T) { eachVersion(t, testTLS) }

func testTLS(t *testing.T, v version) {
	ctx := testContext(t)
	own, pool := certificate(t)
	r := secured(t, v, own, &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{own}})
	s := open(t, ctx, r.client, newCaller(t))
	sp, err := s.Speak(ctx, speech.Utterance{SSML: ssml("x")})
	if err != nil {
		t.Fatal(err)
	}
	wait(t, sp.Done(), "speech")
	if err := s.Close(ctx); err != nil {
		t.Error(err)
	}
	if v == version1 {
		stranger := secured(t, v, own, &tls.Config{RootCAs: x509.NewCertPool()})
		if _, err := stranger.client.Open(ctx, newCaller(t).media()); !errors.Is(err, speech.ErrUnavailable) {
			t.Errorf("a certificate that nobody signed: %v", err)
		}
	}
}

// A server whose certificate is not the one that its answer names is none.
func TestForgedFingerprint(t *testing.T) {
	ctx := testContext(t)
	own, pool := certificate(t)
	other, _ := certificate(t)
	r := newRigOf(t, mrcptest.Config{TLS: &tls.Config{Certificates: []tls.Certificate{own}, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		return &tls.Config{Certificates: []tls.Certificate{other}}, nil
	}}}, nil,
		func(r *rig) {
			r.client = mrcp.NewClient(mrcp.Config{Servers: []mrcp.Server{{URI: "sip:x@127.0.0.1"}}},
				v2.New(v2.Config{TLS: &tls.Config{RootCAs: pool}}, r.dialer, testLog(t)), testLog(t))
		})
	if _, err := r.client.Open(ctx, newCaller(t).media()); !errors.Is(err, speech.ErrUnavailable) {
		t.Errorf("%v", err)
	}
}
