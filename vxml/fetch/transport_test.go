package fetch

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// pair writes a certificate and its key, and returns the certificate.
func pair(t *testing.T, dir, name string) (*x509.Certificate, string, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return certificate, write(t, dir, name+".pem", "CERTIFICATE", der), write(t, dir, name+".key", "PRIVATE KEY", private)
}

func write(t *testing.T, dir, name, kind string, der []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A server that wants a certificate gets it, over HTTP/2.
func TestClientCertificate(t *testing.T) {
	dir := t.TempDir()
	certificate, file, key := pair(t, dir, "platform")
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Proto, " ", r.TLS.PeerCertificates[0].Subject.CommonName)
	}))
	clients := x509.NewCertPool()
	clients.AddCert(certificate)
	server.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients}
	server.EnableHTTP2 = true
	server.Config.ErrorLog = nil
	server.StartTLS()
	defer server.Close()
	authorities := write(t, dir, "ca.pem", "CERTIFICATE", server.Certificate().Raw)

	got, err := through(t, Connections{Certificate: file, Key: key, Authorities: authorities}, server.URL)
	if err != nil || got != "HTTP/2.0 platform" {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := through(t, Connections{Authorities: authorities}, server.URL); err == nil {
		t.Errorf("without a certificate: %q", got)
	}
	if got, err := through(t, Connections{Certificate: file, Key: key}, server.URL); err == nil {
		t.Errorf("a server that nobody vouches for: %q", got)
	}
	for _, bad := range []Connections{
		{Certificate: file, Key: file}, {Certificate: "/none", Key: key}, {Authorities: key}, {Authorities: "/none"}, {HTTPProxy: "nonsense"},
	} {
		if _, err := NewTransport(bad); err == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
}

func through(t *testing.T, c Connections, url string) (string, error) {
	t.Helper()
	transport, err := NewTransport(c)
	if err != nil {
		t.Fatal(err)
	}
	defer transport.CloseIdleConnections()
	r, err := New(Config{Client: &http.Client{Transport: transport}}).Get(t.Context(), Request{URL: url})
	if err != nil {
		return "", err
	}
	return string(r.Body), nil
}

// What is not to go directly goes through the proxy, even where the proxy stands
// in a network that pages are kept from.
func TestProxy(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "proxied ", r.URL)
	}))
	defer proxy.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "direct") }))
	defer server.Close()
	c := Connections{HTTPProxy: proxy.URL, Direct: []string{"127.0.0.1", ".local"}, Policy: &Policy{Denied: loopback()}}
	if got, err := through(t, c, "http://web.example/a"); err != nil || got != "proxied http://web.example/a" {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := through(t, Connections{HTTPProxy: proxy.URL, Direct: []string{"127.0.0.1"}}, server.URL); err != nil || got != "direct" {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := through(t, c, server.URL); err == nil {
		t.Errorf("beside the proxy pages get where they must not: %q", got)
	}
}

func TestBasicAuthentication(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, ok := r.BasicAuth(); ok {
			fmt.Fprint(w, user, ":", password)
			return
		}
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "netrc")
	if err := os.WriteFile(file, []byte("machine 127.0.0.1\n  login ann password secret\ndefault login anybody password none"), 0o600); err != nil {
		t.Fatal(err)
	}
	logins, err := ReadCredentials(file)
	if err != nil {
		t.Fatal(err)
	}
	get := func(logins map[string]Login, url string) string {
		r, err := New(Config{Client: server.Client(), Logins: logins}).Get(t.Context(), Request{URL: url})
		if err != nil {
			return err.(*Error).EventName()
		}
		return string(r.Body)
	}
	if got := get(logins, server.URL); got != "ann:secret" {
		t.Error(got)
	}
	if got := get(nil, strings.Replace(server.URL, "://", "://bob:own@", 1)); got != "bob:own" {
		t.Error(got)
	}
	if got := get(nil, server.URL); got != "error.badfetch.http.401" {
		t.Error(got)
	}
	if logins[""].User != "anybody" {
		t.Errorf("logins %v", logins)
	}
	for _, bad := range []string{"login ann", "machine", "machine h login", "machine h colour blue"} {
		if err := os.WriteFile(file, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadCredentials(file); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}
