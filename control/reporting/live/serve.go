package live

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"mcp/control/reporting/recent"
)

// Dir is where the sockets of the user's platforms are unless the configuration
// says otherwise.
func Dir() string {
	if os.Geteuid() == 0 {
		return "/run/mcp"
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		return filepath.Join(dir, "mcp")
	}
	return filepath.Join(os.TempDir(), "mcp-"+strconv.Itoa(os.Geteuid()))
}

const suffix = ".sock"

// Listen serves calls on a socket of its own in dir, which it makes. The
// function returned ends that.
func Listen(dir string, calls *recent.Calls) (end func() error, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("serve traces: %w", err)
	}
	clear(dir)
	name, err := os.CreateTemp(dir, fmt.Sprintf("trace-%d-*", os.Getpid()))
	if err != nil {
		return nil, fmt.Errorf("serve traces: %w", err)
	}
	path := name.Name() + suffix
	_ = name.Close()
	_ = os.Remove(name.Name()) // its name is what was wanted
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("serve traces: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("serve traces: %w", err), l.Close())
	}
	ctx, cancel := context.WithCancel(context.Background())
	server := &http.Server{
		Handler: Handler(calls), ReadHeaderTimeout: 5 * time.Second,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(l) // its error is that it was closed
	}()
	return func() error {
		cancel()
		err := server.Close()
		<-done
		return err
	}, nil
}

// clear removes the sockets of platforms that are no more.
func clear(dir string) {
	for _, path := range Sockets(dir) {
		c, err := net.Dial("unix", path)
		if err != nil {
			_ = os.Remove(path)
			continue
		}
		_ = c.Close()
	}
}

// Sockets are the sockets in dir.
func Sockets(dir string) []string {
	// The pattern is well formed.
	paths, _ := filepath.Glob(filepath.Join(dir, "trace-*"+suffix))
	return paths
}

// Handler serves calls.
func Handler(calls *recent.Calls) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /calls", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(calls.Dialogues()) // whoever asked has gone
	})
	mux.HandleFunc("GET /trace", func(w http.ResponseWriter, r *http.Request) { trace(calls, w, r) })
	return mux
}

func trace(calls *recent.Calls, w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	want := recent.Wanted{Call: query.Get("call"), Variables: query.Get("variables") == "true"}
	read := newReader()
	leave, ok := calls.Follow(want, read.take)
	if !ok {
		http.Error(w, "there is no such call", http.StatusNotFound)
		return
	}
	defer leave()
	w.Header().Set("Content-Type", "application/x-ndjson")
	out, flush := json.NewEncoder(w), http.NewResponseController(w)
	if flush.Flush() != nil {
		return
	}
	for {
		select {
		case l := <-read.lines:
			if out.Encode(l) != nil || flush.Flush() != nil {
				return
			}
			if l.Kind == recent.Ended && want.Call != "" {
				return
			}
		case <-r.Context().Done():
			return
		}
	}
}
