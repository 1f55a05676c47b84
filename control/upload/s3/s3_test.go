package s3

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"mcp/control/upload"
	"mcp/control/upload/uploadtest"
)

// bucket is a server with a bucket; parts counts the parts that came, and cut
// fails requests.
type bucket struct {
	*s3mem.Backend
	store *Store
	parts atomic.Int32
	cut   atomic.Pointer[func(*http.Request) bool]
}

func newBucket(t *testing.T) *bucket {
	t.Helper()
	b := &bucket{Backend: s3mem.New()}
	if err := b.CreateBucket("recordings"); err != nil {
		t.Fatal(err)
	}
	inner := gofakes3.New(b.Backend).Server()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if cut := b.cut.Load(); cut != nil && (*cut)(r) {
			http.Error(w, "<Error><Code>AccessDenied</Code></Error>", http.StatusForbidden) // not tried again by the client
			return
		}
		if r.URL.Query().Has("partNumber") {
			b.parts.Add(1)
		}
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	store, err := New(t.Context(), Config{
		Bucket: "recordings", Prefix: "site", Endpoint: server.URL, KeyID: "AKIAEXAMPLE", Secret: "secret",
	})
	if err != nil {
		t.Fatal(err)
	}
	b.store = store
	return b
}

func (b *bucket) holds(t *testing.T, name string, want []byte) {
	t.Helper()
	o, err := b.GetObject("recordings", name, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Contents.Close()
	got, err := io.ReadAll(o.Contents)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s has %d octets of %d: %v", name, len(got), len(want), err)
	}
}

func noise(n int) []byte {
	data := make([]byte, n)
	rand.NewChaCha8([32]byte{}).Read(data)
	return data
}

func TestWhole(t *testing.T) {
	b := newBucket(t)
	data := noise(100_000)
	for range 2 {
		if err := b.store.Put(t.Context(), uploadtest.Object("a/one.wav", data)); err != nil {
			t.Fatal(err)
		}
	}
	b.holds(t, "site/a/one.wav", data)
}

// What was cut off goes on: parts that the bucket has are not sent again.
func TestInPartsGoesOnWhereItWasCutOff(t *testing.T) {
	b := newBucket(t)
	b.store.part = 5 << 20 // the least that the interface allows
	data := noise(12 << 20)
	third := func(r *http.Request) bool { return r.URL.Query().Get("partNumber") == "3" }
	b.cut.Store(&third)
	if err := b.store.Put(t.Context(), uploadtest.Object("big.wav", data)); err == nil {
		t.Fatal("the upload was not cut off")
	}
	b.cut.Store(nil)
	if sent := b.parts.Load(); sent != 2 {
		t.Fatalf("%d parts came before the cut", sent)
	}
	if err := b.store.Put(t.Context(), uploadtest.Object("big.wav", data)); err != nil {
		t.Fatal(err)
	}
	if sent := b.parts.Load(); sent != 3 {
		t.Errorf("%d parts came for 3", sent)
	}
	b.holds(t, "site/big.wav", data)
}

func TestMissingBucketIsTriedAgain(t *testing.T) {
	b := newBucket(t)
	b.store.cfg.Bucket = "elsewhere"
	if err := b.store.Put(t.Context(), uploadtest.Object("one.wav", nil)); err == nil || errors.Is(err, upload.ErrRefused) || !strings.Contains(err.Error(), "NoSuchBucket") {
		t.Errorf("%v", err)
	}
}
