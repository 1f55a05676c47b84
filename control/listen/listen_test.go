package listen

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve runs a server and returns its address, what ends it, and what it returned.
func serve(t *testing.T, h http.HandlerFunc) (addr string, stop func(), returned chan error) {
	t.Helper()
	s, err := New("127.0.0.1:0", h, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	returned = make(chan error, 1)
	go func() { returned <- s.Serve(ctx); close(returned) }()
	t.Cleanup(func() { cancel(); <-returned })
	return s.Addr().String(), cancel, returned
}

// request sends raw bytes and returns the status line.
func request(t *testing.T, addr, raw string) string {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	// A server that has read enough closes before all is written.
	_, _ = io.WriteString(c, raw)
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil && line == "" {
		return err.Error()
	}
	return strings.TrimSpace(line)
}

func TestServesUntilToldToStop(t *testing.T) {
	addr, stop, returned := serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "up") })
	if got := request(t, addr, "GET / HTTP/1.0\r\n\r\n"); got != "HTTP/1.0 200 OK" {
		t.Error(got)
	}
	stop()
	if err := <-returned; err != nil {
		t.Error(err)
	}
	if c, err := net.Dial("tcp", addr); err == nil {
		c.Close()
		t.Error("still listening")
	}
}

func TestRequestUnderWayIsFinished(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	addr, stop, returned := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-release
		fmt.Fprint(w, "done")
	})
	answer := make(chan string, 1)
	go func() { answer <- request(t, addr, "GET / HTTP/1.0\r\n\r\n") }()
	<-arrived
	stop()
	close(release)
	if got := <-answer; got != "HTTP/1.0 200 OK" {
		t.Error(got)
	}
	if err := <-returned; err != nil {
		t.Error(err)
	}
}

func TestLargeHeaderIsRefused(t *testing.T) {
	addr, _, _ := serve(t, func(http.ResponseWriter, *http.Request) {})
	got := request(t, addr, "GET / HTTP/1.1\r\nHost: x\r\nX: "+strings.Repeat("y", 2*maxHeaderBytes)+"\r\n\r\n")
	if !strings.Contains(got, "431") && !strings.Contains(got, "reset") {
		t.Error(got)
	}
}

func TestLargeBodyIsCutOff(t *testing.T) {
	failed := make(chan error, 1)
	addr, _, _ := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		failed <- err
	})
	request(t, addr, fmt.Sprintf("POST / HTTP/1.0\r\nContent-Length: %d\r\n\r\n%s", 2*maxBodyBytes, strings.Repeat("y", 2*maxBodyBytes)))
	var large *http.MaxBytesError
	if err := <-failed; !errors.As(err, &large) {
		t.Errorf("%v", err)
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	arrived, release := make(chan struct{}, 2*maxConnections), make(chan struct{})
	addr, _, _ := serve(t, func(http.ResponseWriter, *http.Request) {
		arrived <- struct{}{}
		<-release
	})
	done := make(chan string, maxConnections+1)
	for range maxConnections + 1 {
		go func() { done <- request(t, addr, "GET / HTTP/1.0\r\n\r\n") }()
	}
	for range maxConnections {
		<-arrived
	}
	if len(arrived) > 0 {
		t.Error("more requests than connections are allowed")
	}
	close(release)
	for range maxConnections + 1 {
		if got := <-done; got != "HTTP/1.0 200 OK" {
			t.Error(got)
		}
	}
}

// TestConnectionsThatAskForNothingKeepNobodyOut fills a server with clients that have
// asked and go on, and with clients that never ask, and asks it as a probe does.
func TestConnectionsThatAskForNothingKeepNobodyOut(t *testing.T) {
	for name, first := range map[string]string{
		"kept alive": "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "silent": "", "half a header": "GET / HTTP/1.1\r\nHost: x\r\nX: ",
	} {
		t.Run(name, func(t *testing.T) {
			addr, _, _ := serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "up") })
			for range 2 * maxConnections {
				c, err := net.Dial("tcp", addr)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				if _, err := io.WriteString(c, first); err != nil {
					t.Fatal(err)
				}
				if !strings.HasSuffix(first, "\r\n\r\n") {
					continue
				}
				if _, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil {
					t.Fatal(err)
				}
			}
			asked := time.Now()
			if got := request(t, addr, "GET / HTTP/1.0\r\n\r\n"); got != "HTTP/1.0 200 OK" {
				t.Error(got)
			}
			if waited := time.Since(asked); waited >= headerTime {
				t.Errorf("a probe waited %v, until others were given up", waited)
			}
		})
	}
}

func TestTakenAddressIsAnError(t *testing.T) {
	addr, _, _ := serve(t, func(http.ResponseWriter, *http.Request) {})
	if _, err := New(addr, nil, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("bound a taken address")
	}
}

func TestServerThatNeverServedFreesItsAddress(t *testing.T) {
	s, err := New("127.0.0.1:0", http.NotFoundHandler(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := New(s.Addr().String(), http.NotFoundHandler(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}
