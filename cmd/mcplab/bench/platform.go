package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"mcp/bpf/bpftest"
)

// platformState is what a platform tells of itself.
type platformState struct{ streams, calls float64 }

func (c *course) platformState() (s platformState, err error) {
	body, err := c.metrics()
	if err != nil {
		return s, err
	}
	for line := range bytes.Lines(body) {
		name, value, _ := bytes.Cut(bytes.TrimSpace(line), []byte(" "))
		name, _, _ = bytes.Cut(name, []byte("{"))
		v, err := strconv.ParseFloat(string(value), 64)
		switch {
		case err != nil:
		case string(name) == "mcp_player_streams":
			s.streams = v
		case string(name) == "mcp_calls_active" || string(name) == "mcp_calls_ended_total":
			s.calls += v
		}
	}
	return s, nil
}

func (c *course) metrics() ([]byte, error) {
	var body bytes.Buffer
	client := http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (conn net.Conn, err error) {
		err = c.relay.Do(func() error { conn, err = net.Dial("tcp", stateAddr); return err })
		return conn, err
	}, DisableKeepAlives: true}}
	answer, err := client.Get("http://" + stateAddr + "/metrics")
	if err != nil {
		return nil, fmt.Errorf("ask the platform: %w", err)
	}
	defer answer.Body.Close()
	_, err = body.ReadFrom(answer.Body)
	return body.Bytes(), err
}

// startIn starts a program in a namespace. What it returns ends it.
func startIn(ns *bpftest.NetNS, cmd *exec.Cmd) (func() error, error) {
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = nil, &log
	if err := ns.Do(cmd.Start); err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	return func() error {
		select {
		case err := <-ended:
			return fmt.Errorf("%s ended by itself: %w\n%s", cmd.Path, err, log.String())
		default:
		}
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			return err
		}
		select {
		case <-ended:
		case <-time.After(startLimit):
			_ = cmd.Process.Kill() // it is given no time to end its calls in order
			<-ended
		}
		return nil
	}, nil
}

func (c *course) awaitPlatform(ctx context.Context) error {
	for deadline := time.Now().Add(2 * startLimit); ; {
		_, err := c.metrics()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
}

// servePages serves the application: a recording that is longer than a call.
func servePages(c *course, length time.Duration) (func() error, error) {
	file, err := recording(length + 10*time.Second)
	if err != nil {
		return nil, err
	}
	dir := filepath.Dir(file)
	mux := http.NewServeMux()
	mux.HandleFunc("/main.vxml", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/voicexml+xml")
		fmt.Fprint(w, platformPage)
	})
	mux.HandleFunc("/long.wav", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, file) })
	var listener net.Listener
	err = c.relay.Do(func() (err error) { listener, err = net.Listen("tcp", pageAddress); return err })
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: startLimit}
	served := make(chan struct{})
	go func() { defer close(served); _ = server.Serve(listener) }()
	return func() error {
		err := server.Close()
		<-served
		return errors.Join(err, os.RemoveAll(dir))
	}, nil
}
