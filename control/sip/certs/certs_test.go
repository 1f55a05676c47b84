package certs

import (
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mcp/control/sip/certs/certstest"
)

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// files issues a certificate into a directory of the test.
func files(t *testing.T, a *certstest.Authority) Files {
	t.Helper()
	dir := t.TempDir()
	f := Files{Certificate: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem"), Authorities: filepath.Join(dir, "ca.pem")}
	a.Issue(f.Certificate, f.Key)
	a.Write(f.Authorities)
	return f
}

// shake makes one handshake over a pipe and returns both sides' errors.
func shake(server, client *tls.Config) (serverErr, clientErr error) {
	one, two := net.Pipe()
	defer one.Close()
	defer two.Close()
	done := make(chan error, 1)
	go func() {
		done <- tls.Server(one, server).Handshake()
		one.Close()
	}()
	c := tls.Client(two, client)
	clientErr = c.Handshake()
	if clientErr == nil {
		// A client learns of its refusal only by reading (TLS 1.3).
		if _, err := c.Read(make([]byte, 1)); err != io.EOF {
			clientErr = err
		}
	}
	two.Close()
	return <-done, clientErr
}

// TestCertificateThatPeersRefuseIsTold loads certificates that are over and that are not
// in force yet, at the start and anew.
func TestCertificateThatPeersRefuseIsTold(t *testing.T) {
	a, now := certstest.New(t, "ours"), time.Now()
	f := files(t, a)
	var log strings.Builder
	s, err := Open(f, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil || strings.Contains(log.String(), "not in force") {
		t.Fatalf("%v, %s", err, &log)
	}
	for _, spell := range [][2]time.Duration{{-2 * time.Hour, -time.Hour}, {time.Hour, 2 * time.Hour}} {
		a.IssueFor(f.Certificate, f.Key, now.Add(spell[0]), now.Add(spell[1]))
		log.Reset()
		s.checked = now.Add(-2 * recheck)
		s.stamps[0].size = -1
		s.current()
		if !strings.Contains(log.String(), "not in force") || !strings.Contains(log.String(), f.Certificate) {
			t.Errorf("in force from %v: %s", spell[0], &log)
		}
		log.Reset()
		if _, err := Open(f, slog.New(slog.NewTextHandler(&log, nil))); err != nil || !strings.Contains(log.String(), "not in force") {
			t.Errorf("at the start, in force from %v: %v, %s", spell[0], err, &log)
		}
	}
}

func TestMutual(t *testing.T) {
	ours, theirs := certstest.New(t, "ours"), certstest.New(t, "theirs")
	f := files(t, ours)
	f.Mutual = true
	s, err := Open(f, quiet())
	if err != nil {
		t.Fatal(err)
	}
	if server, client := shake(s.Server(), s.Client("127.0.0.1")); server != nil || client != nil && client != io.EOF {
		t.Errorf("a good client: %v, %v", server, client)
	}
	for what, cfg := range map[string]*tls.Config{
		"no certificate":    {RootCAs: ours.Pool(), ServerName: "127.0.0.1"},
		"another authority": {RootCAs: ours.Pool(), ServerName: "127.0.0.1", Certificates: []tls.Certificate{theirs.Pair()}},
	} {
		if server, _ := shake(s.Server(), cfg); server == nil {
			t.Errorf("%s is let in", what)
		}
	}
	if _, client := shake(s.Server(), s.Client("elsewhere.example")); client == nil {
		t.Error("a certificate for another name is trusted")
	}
}

func TestFilesThatChange(t *testing.T) {
	before, after := certstest.New(t, "before"), certstest.New(t, "after")
	f := files(t, before)
	f.Mutual = true
	s, err := Open(f, quiet())
	if err != nil {
		t.Fatal(err)
	}
	server := s.Server()
	client := func(a *certstest.Authority) *tls.Config {
		return &tls.Config{RootCAs: a.Pool(), ServerName: "localhost", Certificates: []tls.Certificate{a.Pair()}}
	}
	age := func() { s.checked = time.Time{} }
	if err, _ := shake(server, client(before)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(f.Certificate, []byte("half written"), 0o600); err != nil {
		t.Fatal(err)
	}
	age()
	if err, _ := shake(server, client(before)); err != nil {
		t.Errorf("a file that is not in order took effect: %v", err)
	}
	after.Issue(f.Certificate, f.Key)
	after.Write(f.Authorities)
	age()
	if err, _ := shake(server, client(after)); err != nil {
		t.Errorf("what is new: %v", err)
	}
	if err, _ := shake(server, client(before)); err == nil {
		t.Error("a client whose authority is gone is let in")
	}
}

func TestFilesThatAreNotInOrder(t *testing.T) {
	good := files(t, certstest.New(t, "a"))
	for what, f := range map[string]Files{
		"no key":            {Certificate: good.Certificate},
		"no such file":      {Certificate: good.Certificate + "x", Key: good.Key},
		"key is no key":     {Certificate: good.Certificate, Key: good.Certificate},
		"authority is none": {Authorities: good.Key},
		"mutual with none":  {Certificate: good.Certificate, Key: good.Key, Mutual: true},
	} {
		if _, err := Open(f, quiet()); err == nil {
			t.Errorf("%s: opened", what)
		}
	}
	s, err := Open(Files{Authorities: good.Authorities}, quiet())
	if err != nil {
		t.Errorf("authorities alone: %v", err)
	}
	if err, _ := shake(s.Server(), s.Client("localhost")); err == nil {
		t.Error("serves without a certificate")
	}
}
