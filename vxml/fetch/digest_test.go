package fetch

import (
	"crypto/sha256"
	"net/http"
	"testing"
)

// Who gets an answer from the cache shares it with others, and what sums it up.
func TestHitsAreShared(t *testing.T) {
	f := New(Config{Client: &http.Client{Transport: origin(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		_, _ = w.Write([]byte("page"))
	})}})
	want := sha256.Sum256([]byte("page"))
	var all []*Resource
	for range 3 {
		r, err := f.Get(t.Context(), Request{URL: "http://h/p"})
		if err != nil || r.Digest() != want {
			t.Fatalf("%+v, %v", r, err)
		}
		all = append(all, r)
	}
	if all[0].FromCache || !all[1].FromCache || all[1] != all[2] {
		t.Errorf("answers %+v", all)
	}
	hit := func() {
		if r, err := f.Get(t.Context(), Request{URL: "http://h/p"}); err != nil || !r.FromCache {
			t.Error(r, err)
		}
	}
	if n := testing.AllocsPerRun(100, hit); n > 0 {
		t.Errorf("a hit allocates %v times", n)
	}
}
