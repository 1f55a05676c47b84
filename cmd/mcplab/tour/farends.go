package tour

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/net/webdav"

	"mcp/cmd/mcplab/web"
	"mcp/control/certs"
	"mcp/control/certs/certstest"
	"mcp/control/discovery/consultest"
	"mcp/control/ors/orstest"
)

//go:embed app
var application embed.FS

// seen counts what the far ends saw that run in this process.
type seen struct {
	mu    sync.Mutex
	count map[string]int
	key   []byte // of the certificate that the gateway hands out
}

func (s *seen) add(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.count == nil {
		s.count = map[string]int{}
	}
	s.count[what]++
}

func (s *seen) times(what string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count[what]
}

// serveHTTP serves in the caller's namespace until the tour ends.
func (t *tour) serveHTTP(address string, handler http.Handler) error {
	l, err := t.lab.Listen(t.lab.SBC, address)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(l) }) // until it is closed
	t.later(func() error {
		err := server.Close()
		serving.Wait()
		return err
	})
	return nil
}

// counting counts requests by their paths.
func (t *tour) counting(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.seen.add(r.Method + " " + r.URL.Path)
		next.ServeHTTP(w, r)
	})
}

// serveApplication is DAS and the web server: pages, a grammar, a sound.
func (t *tour) serveApplication(ctx context.Context) error {
	dir := t.path("application")
	if err := errors.Join(os.RemoveAll(dir), os.CopyFS(dir, application)); err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, "flite", "-t", "Welcome to the tour.", "-o", filepath.Join(dir, "app", "welcome.wav")).CombinedOutput()
	if err != nil {
		return fmt.Errorf("flite: %w: %s", err, out)
	}
	files := web.Handler(os.DirFS(filepath.Join(dir, "app")), slog.New(slog.DiscardHandler))
	return t.serveHTTP(fmt.Sprintf("%s:80", t.sites.SBC), t.counting(files))
}

// goodBye is what the customer's system answers an answer with.
const goodBye = `<?xml version="1.0"?><vxml xmlns="http://www.w3.org/2001/vxml" version="2.1" xml:lang="en-US">
<form><block><prompt>Thank you. Good bye.</prompt><disconnect/></block></form></vxml>`

// serveCustomer is a customer's system: it knows accounts, takes answers, and keeps
// recordings (WebDAV).
func (t *tour) serveCustomer() error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /account.xml", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/xml")
		_, _ = io.WriteString(w, `<?access-control allow="*"?><account owner="Jane"/>`)
	})
	mux.HandleFunc("POST /answer", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/voicexml+xml")
		_, _ = io.WriteString(w, goodBye)
	})
	mux.Handle("/recordings/", &webdav.Handler{Prefix: "/recordings", FileSystem: webdav.Dir(t.path("kept")), LockSystem: webdav.NewMemLS()})
	return t.serveHTTP(fmt.Sprintf("%s:81", t.sites.SBC), t.counting(mux))
}

// serveORS is an orchestration server with one treatment for every session.
func (t *tour) serveORS() error {
	t.ors = &orstest.Server{Treatments: []orstest.Treatment{{Name: "survey", Src: fmt.Sprintf("http://%s/treatment.vxml", t.sites.SBC)}}}
	return t.serveHTTP(fmt.Sprintf("%s:11200", t.sites.SBC), t.ors)
}

// serveGateway is the small program beside a configuration server that hands out the
// certificate of recordings.
func (t *tour) serveGateway() error {
	cert, key, err := certstest.Make("recordings")
	if err != nil {
		return err
	}
	t.seen.key = append(key, cert...)
	l, err := t.lab.Listen(t.lab.SBC, fmt.Sprintf("%s:8888", t.sites.SBC))
	if err != nil {
		return err
	}
	stop := certstest.Serve(l, func(q certs.Question) any {
		t.seen.add("certificates")
		return certs.Answer{Version: q.Version, Certificates: []string{string(cert)}}
	})
	t.later(func() error { stop(); return nil })
	return nil
}

// startConsul runs a Consul agent where there is one, and its stand-in elsewhere.
func (t *tour) startConsul(ctx context.Context) error {
	binary, err := exec.LookPath("consul")
	if errors.Is(err, exec.ErrNotFound) {
		l, err := t.lab.Listen(t.lab.MCP, "127.0.0.1:8500")
		if err != nil {
			return err
		}
		agent := consultest.StartOn(l)
		t.later(func() error { agent.Close(); return nil })
		t.tell("consul", "a stand-in: there is no consul on this machine's path")
		return nil
	}
	if err != nil {
		return err
	}
	// An agent that is a server, too, has its own use for port 8300.
	p, err := t.start(program{name: "consul", namespace: t.lab.MCP, path: binary, sulky: true,
		args: []string{"agent", "-dev", "-bind", "127.0.0.1", "-client", "127.0.0.1", "-server-port", "8400"}})
	if err != nil {
		return err
	}
	return t.until(ctx, func() error {
		if _, err := t.get(ctx, t.lab.MCP, "http://127.0.0.1:8500/v1/status/leader"); err != nil {
			return fmt.Errorf("%w\n%s", err, p.Tail())
		}
		return nil
	})
}

// get asks a web server from within a namespace.
func (t *tour) get(ctx context.Context, namespace, url string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			to, err := netip.ParseAddrPort(address)
			if err != nil {
				return nil, err
			}
			return t.lab.Dial(ctx, namespace, network, to)
		},
	}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", url, response.Status, body)
	}
	return body, err
}

// until waits until something holds.
func (t *tour) until(ctx context.Context, holds func() error) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := holds()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return err
		}
	}
}

// write writes a file of the run.
func (t *tour) write(name string, content []byte) (string, error) {
	return t.path(name), os.WriteFile(t.path(name), content, 0o600)
}
