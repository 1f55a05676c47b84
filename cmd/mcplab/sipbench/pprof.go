package sipbench

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"time"
)

// profile takes profiles of a platform's CPU time and memory in the middle of a
// load of some length, if they are wanted, and tells when it is done.
func (s *server) profile(name string, load time.Duration) <-chan error {
	done := make(chan error, 1)
	if s.road.profiles == "" {
		done <- nil
		return done
	}
	go func() {
		time.Sleep(load / 4)
		err := s.save(name+".cpu", fmt.Sprintf("profile?seconds=%d", max(1, int(load.Seconds()/2))))
		if err == nil {
			err = s.save(name+".allocs", "allocs")
		}
		done <- err
	}()
	return done
}

// save fetches a profile into a file that go tool pprof reads.
func (s *server) save(name, what string) error {
	if err := os.MkdirAll(s.road.profiles, 0o755); err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	resp, err := s.get("/debug/pprof/" + what)
	if err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	defer resp.Body.Close()
	file, err := os.Create(filepath.Join(s.road.profiles, name+".pprof"))
	if err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	if _, err := io.Copy(file, resp.Body); err != nil {
		_ = file.Close() // it is of no use
		return fmt.Errorf("profile: %w", err)
	}
	return file.Close()
}

// get asks the platform for what it has on the port of its probes.
func (s *server) get(path string) (*http.Response, error) {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		return s.road.lab.Dial(ctx, s.road.lab.MCP, network, netip.MustParseAddrPort(addr))
	}}}
	resp, err := client.Get("http://" + probes + path)
	if err == nil && resp.StatusCode != http.StatusOK {
		_ = resp.Body.Close() // the status says it all
		return nil, fmt.Errorf("%s: %s", path, resp.Status)
	}
	return resp, err
}
