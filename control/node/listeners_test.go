package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mcp/control/node/monitoring"
	"mcp/control/node/uploading"
)

// free is an address that nobody listens on. It is on a part of loopback of its own,
// so that nobody else takes it before the platform does.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", fmt.Sprintf("127.%d.%d.%d:0", 1+rand.IntN(254), rand.IntN(256), 1+rand.IntN(254)))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestListenersAreBounded holds every HTTP listener of a running platform to its bounds:
// one refuses a header that is too large, and closes a connection that sends its header
// too slowly.
func TestListenersAreBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("a header's time takes seconds")
	}
	cfg := Defaults()
	dir := t.TempDir()
	cfg.SIP.Listen = []string{"udp:127.0.0.1:0"}
	cfg.Media.Plane, cfg.Calls.Drain, cfg.Application.Trace = "socket", 0, ""
	cfg.Reporting.Journal, cfg.Upload.Folder = filepath.Join(dir, "journal"), filepath.Join(dir, "recordings")
	listeners := map[string]*string{
		"probes": &cfg.Health.Listen, "console": &cfg.Health.Console.Listen, "log": &cfg.Log.Export.Listen,
		"snmp": &cfg.Health.SNMP.Exporter.Listen, "outbound": &cfg.Calls.Outbound.Listen,
	}
	for _, at := range listeners {
		*at = free(t)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, cfg, nil, slog.New(slog.DiscardHandler)) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	var all sync.WaitGroup
	for name, at := range listeners {
		all.Go(func() {
			if got := said(*at, "GET / HTTP/1.1\r\nHost: localhost\r\nX: "+strings.Repeat("a", 64<<10)+"\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 431 ") {
				t.Errorf("%s: a header of 64 KiB is answered with %.60q", name, got)
			}
			if got := said(*at, "GET / HTTP/1.1\r\nHost: localhost\r\nX: "); strings.HasPrefix(got, "HTTP/1.1 2") || strings.HasPrefix(got, "error") {
				t.Errorf("%s: a header that does not end is answered with %.60q", name, got)
			}
		})
	}
	all.Wait()
}

// TestTakenAddressIsToldOfItsKey starts the platform and its other roles with an address
// that somebody else listens on.
func TestTakenAddressIsToldOfItsKey(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	at := taken.Addr().String()
	platform := func(c Config, log *slog.Logger) error { return Run(t.Context(), c, nil, log) }
	for _, tt := range []struct {
		key string
		set func(*Config)
		run func(Config, *slog.Logger) error
	}{
		{"sip.listen", func(c *Config) { c.SIP.Listen = []string{"tcp:" + at} }, platform},
		{"health.listen", func(c *Config) { c.Health.Listen = at }, platform},
		{"health.snmp.exporter.listen", func(c *Config) { c.Health.SNMP.Exporter.Listen = at }, platform},
		{"log.export.listen", func(c *Config) { c.Log.Export.Listen = at }, platform},
		{"calls.outbound.listen", func(c *Config) { c.Calls.Outbound.Listen = at }, platform},
		{"upload.listen", func(c *Config) { c.Upload.Listen, c.Upload.Destination.URL = at, "http://127.0.0.1:1/x" }, platform},
		{"upload.listen", func(c *Config) { c.Upload.Listen, c.Upload.Destination.URL = at, "http://127.0.0.1:1/x" },
			func(c Config, log *slog.Logger) error { return uploading.Run(t.Context(), c.Upload, log) }},
		{"health.snmp.exporter.listen", func(c *Config) { c.Health.SNMP.Exporter.Listen = at },
			func(c Config, log *slog.Logger) error { return monitoring.RunExporter(t.Context(), c.Health.SNMP, log) }},
		{"log.export.listen", func(c *Config) { c.Log.Export.Listen, c.Log.Export.File = at, os.DevNull },
			func(c Config, log *slog.Logger) error { return RunLogExporter(t.Context(), c, log) }},
	} {
		cfg, dir := Defaults(), t.TempDir()
		cfg.SIP.Listen = []string{"udp:127.0.0.1:0"}
		cfg.Media.Plane, cfg.Application.Trace = "socket", ""
		cfg.Health.Listen, cfg.Health.Console.Listen, cfg.Upload.Listen = "", "", ""
		cfg.Reporting.Journal, cfg.Upload.Folder = filepath.Join(dir, "journal"), filepath.Join(dir, "recordings")
		tt.set(&cfg)
		err := tt.run(cfg, slog.New(slog.DiscardHandler))
		if err == nil || !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), tt.key+": ") {
			t.Errorf("%s is taken: %v", tt.key, err)
		}
	}
}

// said is what a listener says to a request until it closes the connection.
func said(at, request string) string {
	var conn net.Conn
	var err error
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if conn, err = net.Dial("tcp", at); err == nil || time.Now().After(deadline) {
			break
		}
	}
	if err != nil {
		return fmt.Sprint("error: ", err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second)) // far above any of the bounds
	_, _ = io.WriteString(conn, request)                   // a listener that has had enough resets
	answer, err := io.ReadAll(conn)
	if err, timeout := err.(net.Error); timeout && err.Timeout() {
		return fmt.Sprint("error: ", err)
	}
	return string(answer)
}
