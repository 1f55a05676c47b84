package fetch

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

// onDisk makes a fetcher with a cache in dir and an origin that counts.
func onDisk(t *testing.T, dir string, asked *int) *Fetcher {
	t.Helper()
	f := New(Config{Client: &http.Client{Transport: origin(func(w http.ResponseWriter, r *http.Request) {
		*asked++
		if r.Header.Get("If-None-Match") == `"1"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("Content-Type", "text/x")
		w.Header().Set("ETag", `"1"`)
		w.Header().Set("Cache-Control", r.URL.Query().Get("control"))
		fmt.Fprint(w, "body of "+r.URL.Path)
	})}})
	if err := f.KeepOnDisk(dir, 4<<10); err != nil {
		t.Fatal(err)
	}
	return f
}

// What the cache had is there after a restart, fresh or to be confirmed.
func TestCacheOutlivesTheProcess(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	asked := 0
	get := func(f *Fetcher, url string, want int) {
		t.Helper()
		r, err := f.Get(t.Context(), Request{URL: url})
		if err != nil || r.MediaType != "text/x" || asked != want {
			t.Errorf("%s: %+v, %v, asked %d times, want %d", url, r, err, asked, want)
		}
	}
	fresh, stale, never := "http://h/fresh?control=max-age=60", "http://h/stale?control=no-cache", "http://h/never?control=no-store"
	f := onDisk(t, dir, &asked)
	get(f, fresh, 1)
	get(f, stale, 2)
	get(f, never, 3)
	f = onDisk(t, dir, &asked)
	get(f, fresh, 3)
	get(f, stale, 4)
	get(f, never, 5)
	if r, err := f.Get(t.Context(), Request{URL: stale}); err != nil || string(r.Body) != "body of /stale" || !r.FromCache {
		t.Errorf("%+v, %v", r, err)
	}
}

// Whatever became of a file, what is not whole is fetched anew.
func TestSpoiltCacheFiles(t *testing.T) {
	dir := t.TempDir()
	asked := 0
	const url = "http://h/a?control=max-age=60"
	if _, err := onDisk(t, dir, &asked).Get(t.Context(), Request{URL: url}); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, fileName(url))
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for i := range whole {
		for _, spoilt := range [][]byte{whole[:i], append(append(append([]byte{}, whole[:i]...), whole[i]^1), whole[i+1:]...)} {
			e := unpack(spoilt, url)
			if e != nil && string(e.resource.Body) != "body of /a" {
				t.Fatalf("octet %d: %q", i, e.resource.Body)
			}
		}
	}
	if err := os.WriteFile(name, whole[:len(whole)-1], 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "new-1"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if r, err := onDisk(t, dir, &asked).Get(t.Context(), Request{URL: url}); err != nil || string(r.Body) != "body of /a" || asked != 2 {
		t.Errorf("%+v, %v, asked %d times", r, err, asked)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "new-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestDiskIsBounded(t *testing.T) {
	dir := t.TempDir()
	asked := 0
	f := onDisk(t, dir, &asked)
	for i := range 100 {
		if _, err := f.Get(t.Context(), Request{URL: fmt.Sprintf("http://h/%d?control=max-age=60", i)}); err != nil {
			t.Fatal(err)
		}
	}
	size := int64(0)
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if info, err := file.Info(); err == nil {
			size += info.Size()
		}
	}
	if size > 4<<10 || size != f.cache.disk.size || len(files) < 5 || f.cache.disk.get("http://h/99?control=max-age=60") == nil || f.cache.disk.get("http://h/0?control=max-age=60") != nil {
		t.Errorf("%d files of %d octets, by the books %d", len(files), size, f.cache.disk.size)
	}
}
