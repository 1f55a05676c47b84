package fetch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"
)

// served counts the connections to a web server on loopback.
type served struct {
	*httptest.Server
	connections atomic.Int64
}

func serve(t *testing.T, h http.HandlerFunc) *served {
	t.Helper()
	s := &served{Server: httptest.NewUnstartedServer(h)}
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.connections.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	return s
}

func (s *served) port() uint16 {
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	n, _ := strconv.ParseUint(port, 10, 16)
	return uint16(n)
}

// with makes a fetcher that keeps to the policy; names are resolved by resolve.
func with(t *testing.T, p Policy, resolve func() []string) *Fetcher {
	t.Helper()
	transport, err := NewTransport(Connections{Policy: &p})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(transport.CloseIdleConnections)
	if resolve != nil {
		dial := transport.DialContext
		transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			_, port, _ := net.SplitHostPort(address)
			var errs error
			for _, ip := range resolve() { // as a dialer does with what a name server says
				c, err := dial(ctx, network, net.JoinHostPort(ip, port))
				if err == nil {
					return c, nil
				}
				errs = errors.Join(errs, err)
			}
			return nil, errs
		}
	}
	return New(Config{Client: &http.Client{Transport: transport}, Policy: &p, Timeout: 5 * time.Second})
}

func loopback() []netip.Prefix {
	return append(Metadata(), netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"))
}

// However an address is written, named or led to, no connection is made where the
// policy lets none.
func TestPolicyKeepsAway(t *testing.T) {
	inside := serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "secret") })
	port := fmt.Sprint(inside.port())
	deny := Policy{Denied: loopback()}
	tests := []struct {
		name, url string
		policy    Policy
		resolve   []string
	}{
		{name: "loopback", url: "http://127.0.0.1:" + port, policy: deny},
		{name: "another loopback", url: "http://127.9.9.9:" + port, policy: deny},
		{name: "loopback in IPv6", url: "http://[::1]:" + port, policy: deny},
		{name: "IPv4 in IPv6", url: "http://[::ffff:127.0.0.1]:" + port, policy: deny},
		{name: "IPv4 in IPv6, in hexadecimal", url: "http://[::ffff:7f00:1]:" + port, policy: deny},
		{name: "a number", url: "http://2130706433:" + port, policy: deny, resolve: []string{"127.0.0.1"}},
		{name: "an octal number", url: "http://0177.0.0.1:" + port, policy: deny, resolve: []string{"127.0.0.1"}},
		{name: "a short address", url: "http://127.1:" + port, policy: deny, resolve: []string{"127.0.0.1"}},
		{name: "a name", url: "http://web.example:" + port, policy: deny, resolve: []string{"127.0.0.1"}},
		{name: "a name of two addresses", url: "http://web.example:" + port, policy: deny, resolve: []string{"::1", "127.0.0.1"}},
		{name: "nobody", url: "http://0.0.0.0:" + port, policy: Policy{}},
		{name: "nobody in IPv6", url: "http://[::]:" + port, policy: Policy{}},
		{name: "a cloud's metadata", url: "http://169.254.169.254/latest/meta-data/", policy: Policy{}},
		{name: "metadata by name", url: "http://metadata.example/", policy: Policy{}, resolve: []string{"169.254.169.254"}},
		{name: "metadata in IPv6", url: "http://[fd00:ec2::254]/", policy: Policy{}},
		{name: "metadata within IPv6", url: "http://[::ffff:169.254.169.254]/", policy: Policy{}},
		{name: "link-local with a zone", url: "http://[fe80::1%25lo]/", policy: Policy{}},
		{name: "the platform's own port", url: inside.URL, policy: Policy{Own: []uint16{inside.port()}}},
		{name: "a host that is not listed", url: inside.URL, policy: Policy{Hosts: []string{"*.example.com"}}},
		{name: "a user that looks like a host", url: "http://www.example.com@127.0.0.1:" + port, policy: Policy{Hosts: []string{"*.example.com"}}},
		{name: "another port of a host", url: inside.URL, policy: Policy{Hosts: []string{"127.0.0.1:1"}}},
		{name: "a scheme", url: inside.URL, policy: Policy{Schemes: []string{"https"}}},
		{name: "gopher", url: "gopher://127.0.0.1:" + port, policy: Policy{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var resolve func() []string
			if tt.resolve != nil {
				resolve = func() []string { return tt.resolve }
			}
			r, err := with(t, tt.policy, resolve).Get(t.Context(), Request{URL: tt.url})
			if err == nil {
				t.Fatalf("got %q", r.Body)
			}
			var failed *Error
			if !errors.As(err, &failed) || failed.EventName() != "error.badfetch" && failed.EventName() != "error.unsupported.uri" {
				t.Errorf("%v", err)
			}
		})
	}
	if n := inside.connections.Load(); n != 0 {
		t.Errorf("%d connections were made", n)
	}
}

// A server that is allowed leads nowhere else, and a name that changes its
// address between two looks does not, either.
func TestPolicyOfRedirectsAndRebinding(t *testing.T) {
	inside := serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "secret") })
	var target string
	outside := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			http.Redirect(w, r, target, http.StatusFound)
			return
		}
		fmt.Fprint(w, "page")
	})
	allowed := "127.0.0.1:" + fmt.Sprint(outside.port())
	f := with(t, Policy{Hosts: []string{allowed}}, nil)
	for _, target = range []string{inside.URL, "file:///etc/passwd", "http://169.254.169.254/", "ftp://127.0.0.1/"} {
		if r, err := f.Get(t.Context(), Request{URL: outside.URL + "/"}); err == nil {
			t.Errorf("redirected to %s, got %q", target, r.Body)
		}
	}
	target = outside.URL + "/page"
	if r, err := f.Get(t.Context(), Request{URL: outside.URL + "/"}); err != nil || string(r.Body) != "page" {
		t.Errorf("%v, %v", r, err)
	}
	looks := 0
	rebinding := with(t, Policy{Denied: loopback()}, func() []string {
		looks++
		return []string{"127.0.0.1"} // what was asked first does not matter: this is what is connected to
	})
	if _, err := rebinding.Get(t.Context(), Request{URL: "http://rebind.example:" + fmt.Sprint(inside.port())}); !errors.Is(err, ErrRefused) || looks == 0 {
		t.Errorf("%v after %d looks", err, looks)
	}
	if n := inside.connections.Load(); n != 0 {
		t.Errorf("%d connections were made", n)
	}
}

func TestPolicyOfFiles(t *testing.T) {
	dir := t.TempDir()
	open, secret := filepath.Join(dir, "open"), filepath.Join(dir, "secret.vxml")
	if err := os.Mkdir(open, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{secret, filepath.Join(open, "a.vxml")} {
		if err := os.WriteFile(name, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(secret, filepath.Join(open, "link")); err != nil {
		t.Fatal(err)
	}
	f := New(Config{Policy: &Policy{Files: []string{open}}})
	for path, allowed := range map[string]bool{
		open + "/a.vxml": true, secret: false, open + "/../secret.vxml": false, open + "/link": false, "/etc/passwd": false,
	} {
		_, err := f.Get(t.Context(), Request{URL: (&url.URL{Scheme: "file", Path: path}).String()})
		if (err == nil) != allowed || err != nil && !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v", path, err)
		}
	}
}
