package certs_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"mcp/control/certs"
	"mcp/control/certs/certstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// names are the subjects of what a source tells.
func names(t *testing.T, s certs.Source) string {
	t.Helper()
	all, err := s.Fetch(t.Context())
	if err != nil {
		return "error: " + err.Error()
	}
	var out []string
	for _, c := range all {
		out = append(out, c.Subject.CommonName)
	}
	return strings.Join(out, " ")
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, text []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("a.pem", append(certstest.PEM(t, "one"), certstest.PEM(t, "two")...))
	write("b.crt", certstest.PEM(t, "three"))
	write("key.txt", []byte("no certificate"))
	if got := names(t, certs.Files{dir}); got != "one two three" {
		t.Error(got)
	}
	if got := names(t, certs.Files{filepath.Join(dir, "b.crt")}); got != "three" {
		t.Error(got)
	}
	for _, path := range []string{filepath.Join(dir, "key.txt"), filepath.Join(dir, "none.pem"), t.TempDir()} {
		if got := names(t, certs.Files{path}); !strings.HasPrefix(got, "error: ") || !strings.Contains(got, path) {
			t.Errorf("%s: %s", path, got)
		}
	}
}

func TestWeb(t *testing.T) {
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write(certstest.PEM(t, "web"))
	}))
	defer server.Close()
	source := certs.Web{URL: server.URL, Client: server.Client()}
	if got := names(t, source); got != "web" {
		t.Error(got)
	}
	status = http.StatusForbidden
	if got := names(t, source); !strings.Contains(got, "403") {
		t.Error(got)
	}
}

func TestGateway(t *testing.T) {
	ca := httptest.NewTLSServer(nil)
	defer ca.Close()
	var asked certs.Question
	var mu sync.Mutex
	answer := any(certs.Answer{Version: 1, Certificates: []string{string(certstest.PEM(t, "gate"))}})
	gateway := func(l net.Listener) {
		certstest.Gateway(t, l, func(q certs.Question) any {
			mu.Lock()
			defer mu.Unlock()
			asked = q
			return answer
		})
	}
	listen := func() net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	plain, secure := listen(), listen()
	gateway(plain)
	gateway(tls.NewListener(secure, ca.TLS))
	source := certs.Gateway{Address: plain.Addr().String(), Application: "default", User: "mcp", Password: "secret"}
	if got := names(t, source); got != "gate" {
		t.Error(got)
	}
	if want := (certs.Question{Version: 1, Request: "recording-certificates", Application: "default", User: "mcp", Password: "secret"}); asked != want {
		t.Errorf("asked %+v", asked)
	}
	overTLS := source
	overTLS.Address = secure.Addr().String()
	overTLS.TLS = ca.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	overTLS.TLS.ServerName = "example.com"
	if got := names(t, overTLS); got != "gate" {
		t.Error(got)
	}
	for _, bad := range []struct {
		answer any
		want   string
	}{
		{certs.Answer{Version: 2}, "version 2"},
		{certs.Answer{Version: 1, Error: "wrong password"}, "wrong password"},
		{certs.Answer{Version: 1}, "no certificates"},
		{certs.Answer{Version: 1, Certificates: []string{"x"}}, "certificate 1"},
		{strings.Repeat("x", 100), "answer"},
		{nil, "EOF"},
	} {
		mu.Lock()
		answer = bad.answer
		mu.Unlock()
		if got := names(t, source); !strings.Contains(got, bad.want) || strings.Contains(got, "secret") {
			t.Errorf("%v: %s", bad.answer, got)
		}
	}
}

func TestMessagesAreBounded(t *testing.T) {
	var a certs.Answer
	if err := certs.ReadMessage(bytes.NewReader([]byte{0xff, 0xff, 0xff, 0xff, '{'}), &a); err == nil || !strings.Contains(err.Error(), "too long") {
		t.Errorf("%v", err)
	}
}

func FuzzReadMessage(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x0d{\"version\":1}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		var a certs.Answer
		_ = certs.ReadMessage(bytes.NewReader(text), &a)
	})
}

// locked is a log that is written and read.
type locked struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// changing is a source that tells what it is told.
type changing struct {
	mu   sync.Mutex
	text []byte
	err  error
}

func (c *changing) tell(text []byte, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.text, c.err = text, err
}

func (c *changing) Fetch(context.Context) (all []*x509.Certificate, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return nil, c.err
	}
	return certs.Parse(c.text)
}

// A rotation is followed, and what is known outlives the source.
func TestKeeper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log locked
		source := &changing{err: errors.New("away")}
		k := certs.NewKeeper(source, time.Minute, slog.New(slog.NewTextHandler(&log, nil)))
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { k.Run(ctx) })
		name := func() string {
			synctest.Wait()
			all, err := k.Certificates()
			if err != nil {
				return err.Error()
			}
			return all[0].Subject.CommonName
		}
		if got := name(); got != certs.ErrNone.Error() {
			t.Error(got)
		}
		source.tell(certstest.PEM(t, "one"), nil)
		time.Sleep(time.Minute)
		if got := name(); got != "one" {
			t.Error(got)
		}
		source.tell(certstest.PEM(t, "two"), nil)
		time.Sleep(time.Minute)
		if got := name(); got != "two" {
			t.Error(got)
		}
		source.tell(nil, errors.New("away"))
		time.Sleep(3 * time.Minute)
		if got := name(); got != "two" {
			t.Error(got)
		}
		if n := strings.Count(log.String(), "is lost"); n != 2 {
			t.Errorf("the loss is told %d times:\n%s", n, log.String())
		}
		if n := testutil.CollectAndCount(k); n != 2 {
			t.Errorf("%d metrics", n)
		}
		stop()
		running.Wait()
	})
}
