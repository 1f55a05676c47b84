package azure

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"mcp/control/upload"
	"mcp/control/upload/uploadtest"
)

// box is a container as far as block blobs go.
type box struct {
	mu     sync.Mutex
	blobs  map[string][]byte
	staged map[string]map[string][]byte
	blocks int                      // that came
	cut    func(*http.Request) bool // fails requests
}

func (b *box) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	name, query := r.URL.Path, r.URL.Query()
	body, err := io.ReadAll(r.Body)
	switch {
	case err != nil || b.cut != nil && b.cut(r):
		answer(w, http.StatusForbidden, "AuthorizationFailure")
	case r.Method == http.MethodHead:
		b.head(w, name)
	case r.Method == http.MethodGet && query.Get("comp") == "blocklist":
		b.list(w, name)
	case r.Method == http.MethodPut && !matches(r, body):
		answer(w, http.StatusBadRequest, "Md5Mismatch")
	case query.Get("comp") == "block":
		if b.staged[name] == nil {
			b.staged[name] = map[string][]byte{}
		}
		b.staged[name][query.Get("blockid")] = body
		b.blocks++
		w.WriteHeader(http.StatusCreated)
	case query.Get("comp") == "blocklist":
		b.commit(w, name, body)
	case r.Method == http.MethodPut:
		b.blobs[name] = body
		w.WriteHeader(http.StatusCreated)
	default:
		answer(w, http.StatusBadRequest, "UnsupportedHttpVerb")
	}
}

func matches(r *http.Request, body []byte) bool {
	sum := md5.Sum(body)
	want := r.Header.Get("Content-MD5")
	return want == "" || want == base64.StdEncoding.EncodeToString(sum[:])
}

func (b *box) head(w http.ResponseWriter, name string) {
	data, found := b.blobs[name]
	if !found {
		answer(w, http.StatusNotFound, "BlobNotFound")
		return
	}
	sum := md5.Sum(data)
	w.Header().Set("Content-Length", fmt.Sprint(len(data)))
	w.Header().Set("Content-MD5", base64.StdEncoding.EncodeToString(sum[:]))
}

func (b *box) list(w http.ResponseWriter, name string) {
	if b.staged[name] == nil && b.blobs[name] == nil {
		answer(w, http.StatusNotFound, "BlobNotFound")
		return
	}
	w.Header().Set("Content-Type", "application/xml")
	fmt.Fprint(w, `<?xml version="1.0"?><BlockList><CommittedBlocks/><UncommittedBlocks>`)
	for id, data := range b.staged[name] {
		fmt.Fprintf(w, "<Block><Name>%s</Name><Size>%d</Size></Block>", id, len(data))
	}
	fmt.Fprint(w, "</UncommittedBlocks></BlockList>")
}

func (b *box) commit(w http.ResponseWriter, name string, body []byte) {
	var list struct{ Latest []string }
	if err := xml.Unmarshal(body, &list); err != nil {
		answer(w, http.StatusBadRequest, "InvalidXmlDocument")
		return
	}
	var data []byte
	for _, id := range list.Latest {
		block, found := b.staged[name][id]
		if !found {
			answer(w, http.StatusBadRequest, "InvalidBlockList")
			return
		}
		data = append(data, block...)
	}
	b.blobs[name] = data
	delete(b.staged, name)
	w.WriteHeader(http.StatusCreated)
}

func answer(w http.ResponseWriter, status int, code string) {
	w.Header().Set("x-ms-error-code", code)
	w.WriteHeader(status)
}

func newBox(t *testing.T) (*box, *Store) {
	t.Helper()
	b := &box{blobs: map[string][]byte{}, staged: map[string]map[string][]byte{}}
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	store, err := New(Config{URL: server.URL + "/recordings?sig=secret", Prefix: "site"})
	if err != nil {
		t.Fatal(err)
	}
	return b, store
}

func noise(n int) []byte {
	data := make([]byte, n)
	rand.NewChaCha8([32]byte{}).Read(data)
	return data
}

func TestWhole(t *testing.T) {
	b, store := newBox(t)
	data := noise(100_000)
	for range 2 {
		if err := store.Put(t.Context(), uploadtest.Object("a/one.wav", data)); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(b.blobs["/recordings/site/a/one.wav"], data) {
		t.Errorf("the container has %d blobs", len(b.blobs))
	}
}

// What was cut off goes on: blocks that the container has are not sent again.
func TestInBlocksGoesOnWhereItWasCutOff(t *testing.T) {
	b, store := newBox(t)
	store.block = 1 << 20
	data := noise(5<<20 + 1)
	b.cut = func(*http.Request) bool { return b.blocks == 3 }
	if err := store.Put(t.Context(), uploadtest.Object("big.wav", data)); err == nil {
		t.Fatal("the upload was not cut off")
	}
	b.cut = nil
	if err := store.Put(t.Context(), uploadtest.Object("big.wav", data)); err != nil {
		t.Fatal(err)
	}
	if b.blocks != 6 || !bytes.Equal(b.blobs["/recordings/site/big.wav"], data) {
		t.Errorf("%d blocks came for 6", b.blocks)
	}
}

func TestErrorsAreToldApart(t *testing.T) {
	b, store := newBox(t)
	b.cut = func(*http.Request) bool { return true }
	if err := store.Put(t.Context(), uploadtest.Object("one.wav", nil)); err == nil || errors.Is(err, upload.ErrRefused) || strings.Contains(err.Error(), "secret") {
		t.Errorf("%v", err)
	}
	if _, err := New(Config{Connection: "nonsense"}); err == nil {
		t.Error("a connection string without an account is accepted")
	}
}

// TestEmulator runs against Microsoft's emulator of the storage service, or the
// service itself, where a connection string names one.
func TestEmulator(t *testing.T) {
	connection := os.Getenv("MCP_TEST_AZURE")
	if connection == "" {
		t.Skip("MCP_TEST_AZURE names no storage account: blobs were tested against the stand-in only")
	}
	store, err := New(Config{Connection: connection, Container: fmt.Sprintf("t%d", rand.Uint32())})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.container.Create(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	store.block = 1 << 20
	for name, size := range map[string]int{"small.wav": 1000, "big.wav": 5<<20 + 1} {
		if err := store.Put(t.Context(), uploadtest.Object(name, noise(size))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
