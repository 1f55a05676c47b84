package web

import (
	"bytes"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/net/webdav"

	"mcp/control/upload"
	"mcp/control/upload/uploadtest"
)

// dav is a WebDAV server on a folder that wants a password, behind a middle that
// tests put between.
func dav(t *testing.T, between func(http.Handler) http.Handler) (*httptest.Server, string) {
	t.Helper()
	root := t.TempDir()
	var h http.Handler = &webdav.Handler{FileSystem: webdav.Dir(root), LockSystem: webdav.NewMemLS()}
	if between != nil {
		h = between(h)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "rup" || password != "secret" {
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s, root
}

func TestWebDAV(t *testing.T) {
	server, root := dav(t, nil)
	store, err := New(Config{URL: server.URL + "/", User: "rup", Password: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	data := bytes.Repeat([]byte("audio"), 50000)
	for range 2 { // storing twice is storing once
		if err := store.Put(t.Context(), uploadtest.Object("2026/11/one two.wav", data)); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(filepath.Join(root, "2026/11/one two.wav"))
	if err != nil || !bytes.Equal(kept, data) {
		t.Errorf("kept %d octets of %d: %v", len(kept), len(data), err)
	}
}

func TestWrongPasswordIsTriedAgain(t *testing.T) {
	server, _ := dav(t, nil)
	store, err := New(Config{URL: server.URL, User: "rup", Password: "wrong"})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if err := store.Put(t.Context(), uploadtest.Object("one.wav", nil)); err == nil || errors.Is(err, upload.ErrRefused) || !strings.Contains(err.Error(), "401") {
		t.Errorf("%v", err)
	}
}

func TestWhatWasChangedOnTheWayIsFoundOut(t *testing.T) {
	server, _ := dav(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPut {
				data, _ := io.ReadAll(r.Body)
				data[len(data)/2] ^= 1
				r.Body = io.NopCloser(bytes.NewReader(data))
			}
			next.ServeHTTP(w, r)
		})
	})
	store, err := New(Config{URL: server.URL, User: "rup", Password: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if err := store.Put(t.Context(), uploadtest.Object("one.wav", []byte("audio"))); err == nil || !strings.Contains(err.Error(), "not what was sent") {
		t.Errorf("%v", err)
	}
}

func TestPost(t *testing.T) {
	type request struct {
		name, id, sum, token string
		body                 []byte
	}
	got := make(chan request, 2)
	status := http.StatusCreated
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- request{r.Header.Get(headerName), r.Header.Get(headerID), r.Header.Get(headerSum), r.Header.Get("Authorization"), body}
		w.WriteHeader(status)
	}))
	defer server.Close()
	dir := t.TempDir()
	ca, token := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "token")
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := errors.Join(os.WriteFile(ca, cert, 0o600), os.WriteFile(token, []byte("abc\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	store, err := New(Config{URL: server.URL + "/recordings", Post: true, TokenFile: token, CAFile: ca})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if err := store.Put(t.Context(), uploadtest.Object("a/one.wav", []byte("audio"))); err != nil {
		t.Fatal(err)
	}
	if r := <-got; r.name != "a/one.wav" || r.id != "rec-1" || r.token != "Bearer abc" || string(r.body) != "audio" ||
		r.sum != "sha-256=:btiRnOIEkKXjrYYwpPq2lHUper0H23ORjdXzb8+usRs=:" {
		t.Errorf("%+v", r)
	}
	if err := store.Post(t.Context(), "rec-1", []byte(`{"id":"rec-1"}`)); err != nil {
		t.Fatal(err)
	}
	if r := <-got; r.id != "rec-1" || string(r.body) != `{"id":"rec-1"}` {
		t.Errorf("%+v", r)
	}
	for status = range map[int]bool{http.StatusRequestEntityTooLarge: true, http.StatusServiceUnavailable: false, http.StatusForbidden: false} {
		err := store.Put(t.Context(), uploadtest.Object("a/one.wav", []byte("audio")))
		<-got
		if want := status == http.StatusRequestEntityTooLarge; errors.Is(err, upload.ErrRefused) != want || err == nil {
			t.Errorf("%d: %v", status, err)
		}
	}
}

func TestConfigurationIsChecked(t *testing.T) {
	for what, cfg := range map[string]Config{
		"no URL":         {URL: "server/recordings"},
		"no authorities": {URL: "https://server", CAFile: "/nowhere/ca.pem"},
		"no key":         {URL: "https://server", CertFile: "/nowhere/cert.pem"},
	} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%s is accepted", what)
		}
	}
}
