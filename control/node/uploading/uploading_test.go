package uploading

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/webdav"
)

// The uploader's role sends what it finds, answers its probes, and sends what the
// destination did not take to the central one at the end.
func TestUploaderRole(t *testing.T) {
	kept, central := t.TempDir(), t.TempDir()
	dav := func(dir string) string {
		s := httptest.NewServer(&webdav.Handler{FileSystem: webdav.Dir(dir), LockSystem: webdav.NewMemLS()})
		t.Cleanup(s.Close)
		return s.URL
	}
	cfg := Defaults(t.TempDir())
	cfg.Folder, cfg.Listen = t.TempDir(), "127.0.0.1:0"
	cfg.Destination.URL, cfg.Decommission.URL = dav(kept), dav(central)
	record := func(name string) {
		for _, f := range []string{name, name + ".json"} {
			if err := os.WriteFile(filepath.Join(cfg.Folder, f), []byte(`{"id":"x"}`), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	await := func(dir, name string) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s does not arrive", name)
			}
		}
	}
	out, in := io.Pipe()
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		defer in.Close()
		if err := Run(ctx, cfg, slog.New(slog.NewTextHandler(in, nil))); err != nil {
			t.Error(err)
		}
	})
	address := make(chan string, 1)
	go func() {
		text := make([]byte, 4096)
		for seen := ""; ; {
			n, err := out.Read(text)
			if err != nil {
				return
			}
			seen += string(text[:n])
			if _, after, found := strings.Cut(seen, "probes="); found && len(address) == 0 {
				address <- strings.TrimSpace(after)
			}
		}
	}()
	at := <-address
	for _, path := range []string{"/health/live", "/health/ready", "/metrics"} {
		res, err := http.Get("http://" + at + path)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Errorf("%s is answered with %d", path, res.StatusCode)
		}
	}
	http.DefaultClient.CloseIdleConnections()
	record("one.wav")
	await(kept, "one.wav.json")
	if err := os.RemoveAll(kept); err != nil { // the destination is no more
		t.Fatal(err)
	}
	record("two.wav")
	stop()
	running.Wait()
	await(central, "two.wav.json")
}

func TestUploaderWantsADestination(t *testing.T) {
	if err := Run(t.Context(), Defaults(t.TempDir()), slog.New(slog.DiscardHandler)); err == nil {
		t.Error("it starts without")
	}
}

func TestPlaces(t *testing.T) {
	for text, fine := range map[string]bool{
		"": true, "https://host/a": true, "post+https://host": true, "s3://bucket/a": true, "azure://container": true,
		"ftp://host": false, "host/a": false, "s3:///a": false, "https://": false,
	} {
		if err := (Place{URL: text}).Validate(); (err == nil) != fine {
			t.Errorf("%q: %v", text, err)
		}
	}
}
