package fetch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// origin answers without a network, so that time can be simulated.
type origin func(w http.ResponseWriter, r *http.Request)

func (o origin) RoundTrip(r *http.Request) (*http.Response, error) {
	rec := httptest.NewRecorder()
	o(rec, r)
	resp := rec.Result()
	resp.Request = r
	return resp, nil
}

// Each row is what the server says of an answer, and whether a second request,
// so much later, reaches it and how.
func TestCache(t *testing.T) {
	age := func(d time.Duration) *time.Duration { return &d }
	tests := []struct {
		name   string
		header map[string]string
		later  time.Duration
		again  Request
		want   string // of the second request: "cached", "fetched", "revalidated"
	}{
		{"fresh by max-age", map[string]string{"Cache-Control": "max-age=60"}, 59 * time.Second, Request{}, "cached"},
		{"stale by max-age", map[string]string{"Cache-Control": "max-age=60"}, 61 * time.Second, Request{}, "fetched"},
		{"age counts", map[string]string{"Cache-Control": "max-age=60", "Age": "50"}, 11 * time.Second, Request{}, "fetched"},
		{"an old date counts", map[string]string{"Cache-Control": "max-age=60", "Date": "Fri, 31 Dec 1999 23:59:10 GMT"}, 11 * time.Second, Request{}, "fetched"},
		{"the older of age and date", map[string]string{"Cache-Control": "max-age=60", "Date": "Fri, 31 Dec 1999 23:59:50 GMT", "Age": "40"}, 19 * time.Second, Request{}, "cached"},
		{"longer than anybody lives", map[string]string{"Cache-Control": "max-age=99999999999999999999"}, time.Hour, Request{}, "cached"},
		{"longer than a duration", map[string]string{"Cache-Control": "max-age=99999999999"}, time.Hour, Request{}, "cached"},
		{"proxy-revalidate", map[string]string{"Cache-Control": "max-age=60, proxy-revalidate"}, 70 * time.Second, Request{MaxStale: 20 * time.Second}, "fetched"},
		{"s-maxage is not taken stale", map[string]string{"Cache-Control": "s-maxage=60"}, 70 * time.Second, Request{MaxStale: 20 * time.Second}, "fetched"},
		{"Vary: *", map[string]string{"Cache-Control": "max-age=60", "Vary": "Accept, *"}, 0, Request{}, "fetched"},
		{"Vary by what all send alike", map[string]string{"Cache-Control": "max-age=60", "Vary": "Accept-Encoding"}, 0, Request{}, "cached"},
		{"s-maxage wins", map[string]string{"Cache-Control": "max-age=1, s-maxage=60"}, 30 * time.Second, Request{}, "cached"},
		{"no-store", map[string]string{"Cache-Control": "no-store", "ETag": `"1"`}, 0, Request{}, "fetched"},
		{"private", map[string]string{"Cache-Control": "private, max-age=60"}, 0, Request{}, "fetched"},
		{"no-cache with a tag", map[string]string{"Cache-Control": "no-cache", "ETag": `"1"`}, 0, Request{}, "revalidated"},
		{"stale with a tag", map[string]string{"Cache-Control": "max-age=1", "ETag": `"1"`}, 2 * time.Second, Request{}, "revalidated"},
		{"stale with a date", map[string]string{"Last-Modified": "Mon, 02 Jan 2006 15:04:05 GMT"}, time.Second, Request{}, "revalidated"},
		{"nothing said", nil, time.Second, Request{}, "fetched"},
		{"the page's maxage is stricter", map[string]string{"Cache-Control": "max-age=60"}, 20 * time.Second, Request{MaxAge: age(10 * time.Second)}, "fetched"},
		{"maxage of zero", map[string]string{"Cache-Control": "max-age=60"}, 0, Request{MaxAge: age(0)}, "fetched"},
		{"maxstale", map[string]string{"Cache-Control": "max-age=60"}, 70 * time.Second, Request{MaxStale: 20 * time.Second}, "cached"},
		{"must-revalidate", map[string]string{"Cache-Control": "max-age=60, must-revalidate"}, 70 * time.Second, Request{MaxStale: 20 * time.Second}, "fetched"},
		{"varies by what is always the same", map[string]string{"Cache-Control": "max-age=60", "Vary": "User-Agent, Accept-Encoding"}, 0, Request{}, "cached"},
		{"varies by cookie", map[string]string{"Cache-Control": "max-age=60", "Vary": "Accept, Cookie"}, 0, Request{}, "fetched"},
		{"varies by anything", map[string]string{"Cache-Control": "max-age=60", "Vary": "*"}, 0, Request{}, "fetched"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				got := "cached"
				f := New(Config{Client: &http.Client{Transport: origin(func(w http.ResponseWriter, r *http.Request) {
					for k, v := range tt.header {
						w.Header().Set(k, v)
					}
					if got = "fetched"; r.Header.Get("If-None-Match")+r.Header.Get("If-Modified-Since") != "" {
						got = "revalidated"
						w.WriteHeader(http.StatusNotModified)
						return
					}
					fmt.Fprint(w, "body")
				})}})
				tt.again.URL = "http://h/x"
				if _, err := f.Get(t.Context(), Request{URL: "http://h/x"}); err != nil {
					t.Fatal(err)
				}
				got = "cached"
				time.Sleep(tt.later)
				r, err := f.Get(t.Context(), tt.again)
				if err != nil || string(r.Body) != "body" {
					t.Fatalf("second answer %v, %v", r, err)
				}
				if got != tt.want || r.FromCache != (got != "fetched") {
					t.Errorf("second answer was %s (from cache: %t), want %s", got, r.FromCache, tt.want)
				}
			})
		})
	}
}

// Of a hundred who want the same at once, one asks, unless the answer is not for
// all of them.
func TestCoalescing(t *testing.T) {
	for control, want := range map[string]int64{"max-age=60": 1, "no-store": 100} {
		synctest.Test(t, func(t *testing.T) {
			var asked atomic.Int64
			f := New(Config{Client: &http.Client{Transport: origin(func(w http.ResponseWriter, r *http.Request) {
				asked.Add(1)
				time.Sleep(time.Second)
				w.Header().Set("Cache-Control", control)
				fmt.Fprint(w, "page")
			})}})
			var all sync.WaitGroup
			for range 100 {
				all.Go(func() {
					if r, err := f.Get(t.Context(), Request{URL: "http://h/"}); err != nil || string(r.Body) != "page" {
						t.Error(r, err)
					}
				})
			}
			all.Wait()
			if asked.Load() != want {
				t.Errorf("%s: the server was asked %d times, want %d", control, asked.Load(), want)
			}
		})
	}
}

// One who gives up does not take the others along.
func TestCoalescingAndTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New(Config{Client: &http.Client{Transport: origin(func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(2 * time.Second):
				fmt.Fprint(w, "page")
			case <-r.Context().Done():
				w.WriteHeader(http.StatusGatewayTimeout)
			}
		})}})
		var all sync.WaitGroup
		all.Go(func() {
			if _, err := f.Get(t.Context(), Request{URL: "http://h/", Timeout: time.Second}); err == nil {
				t.Error("the impatient one was answered")
			}
		})
		time.Sleep(time.Millisecond)
		all.Go(func() {
			if _, err := f.Get(t.Context(), Request{URL: "http://h/", Timeout: 10 * time.Second}); err != nil {
				t.Error(err)
			}
		})
		all.Wait()
	})
}

// A redirect that may change is asked for again; what it led to is kept.
func TestRedirectsAreNotCached(t *testing.T) {
	target := "/one"
	asked := map[string]int{}
	f := New(Config{Client: &http.Client{Transport: origin(func(w http.ResponseWriter, r *http.Request) {
		asked[r.URL.Path]++
		if r.URL.Path == "/" {
			http.Redirect(w, r, target, http.StatusFound)
			return
		}
		w.Header().Set("Cache-Control", "max-age=60")
		fmt.Fprint(w, r.URL.Path)
	})}})
	get := func(url string) string {
		r, err := f.Get(t.Context(), Request{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		return string(r.Body)
	}
	if got := get("http://h/"); got != "/one" {
		t.Error(got)
	}
	target = "/two"
	if got := get("http://h/"); got != "/two" {
		t.Error(got)
	}
	if get("http://h/one"); asked["/one"] != 1 {
		t.Errorf("/one was fetched %d times", asked["/one"])
	}
}

// What was posted to has perhaps changed; what a document says of itself counts.
func TestInvalidation(t *testing.T) {
	asked := 0
	f := New(Config{Client: &http.Client{Transport: origin(func(w http.ResponseWriter, r *http.Request) {
		asked++
		w.Header().Set("Cache-Control", "max-age=60")
	})}})
	do := func(method string, want int) {
		t.Helper()
		if _, err := f.Get(t.Context(), Request{URL: "http://h/", Method: method}); err != nil || asked != want {
			t.Errorf("%d requests, want %d, %v", asked, want, err)
		}
	}
	do("GET", 1)
	do("GET", 1)
	do("POST", 2)
	do("GET", 3)
	f.Amend("http://h/", http.Header{"Cache-Control": {"no-store"}})
	do("GET", 4)
	f.Amend("http://h/", http.Header{"Expires": {"0"}, "Cache-Control": nil})
	do("GET", 5)
}

func TestCacheIsBounded(t *testing.T) {
	c := newCache(10 * (512 + 100))
	for i := range 100 {
		c.put(fmt.Sprint(i), &entry{resource: &Resource{Body: make([]byte, 100)}})
	}
	if len(c.slots) != 10 || c.size > c.limit || c.get("99") == nil || c.get("0") != nil {
		t.Errorf("%d entries of %d bytes", len(c.slots), c.size)
	}
	c.put("big", &entry{resource: &Resource{Body: make([]byte, 100000)}})
	if c.get("big") != nil {
		t.Error("an entry larger than the cache was kept")
	}
}

// Over a real connection: what goes wrong, and the event that it is.
func TestFailures(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/slow":
			<-r.Context().Done()
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/large":
			fmt.Fprint(w, strings.Repeat("x", 2000))
		case "/cut":
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, "short")
		default:
			w.WriteHeader(http.StatusTeapot)
		}
	}))
	defer server.Close()
	client := server.Client()
	defer client.CloseIdleConnections()
	f := New(Config{Client: client, MaxBody: 1000, Timeout: 200 * time.Millisecond, NoFiles: true})
	tests := []struct{ url, event string }{
		{server.URL + "/other", "error.badfetch.http.418"},
		{server.URL + "/slow", "error.badfetch.timeout"},
		{server.URL + "/loop", "error.badfetch"},
		{server.URL + "/large", "error.badfetch"},
		{server.URL + "/cut", "error.badfetch"},
		{"http://127.0.0.1:1/", "error.badfetch"},
		{"gopher://h/x", "error.unsupported.uri"},
		{"file:///etc/hostname", "error.unsupported.uri"},
		{"http://[bad", "error.badfetch"},
	}
	for _, tt := range tests {
		_, err := f.Get(t.Context(), Request{URL: tt.url})
		var failed *Error
		if !errors.As(err, &failed) || failed.EventName() != tt.event {
			t.Errorf("%s: error %v, want %s", tt.url, err, tt.event)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Get(ctx, Request{URL: server.URL + "/slow"}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestPostCookiesAndRedirects(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/in" {
			http.SetCookie(w, &http.Cookie{Name: "session", Value: "7"})
			http.Redirect(w, r, "/out?"+r.FormValue("q"), http.StatusSeeOther)
			return
		}
		cookie, _ := r.Cookie("session")
		fmt.Fprint(w, r.Method, " ", r.URL.RawQuery, " ", cookie)
	}))
	defer server.Close()
	client := server.Client()
	defer client.CloseIdleConnections()
	r, err := New(Config{Client: client}).Get(t.Context(), Request{
		URL: server.URL + "/in", Method: http.MethodPost, Body: []byte("q=a"), ContentType: "application/x-www-form-urlencoded", Jar: &Jar{},
	})
	if err != nil {
		t.Fatal(err)
	}
	if string(r.Body) != "GET a session=7" || r.URL != server.URL+"/out?a" {
		t.Errorf("got %q from %s", r.Body, r.URL)
	}
}

func TestFilesAndSchemes(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.wav"), []byte("RIFF"), 0o600); err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	transport.RegisterProtocol("builtin", http.NewFileTransportFS(fstest.MapFS{"a.vxml": {Data: []byte("<vxml/>")}}))
	f := New(Config{Client: &http.Client{Transport: transport}})
	for _, url := range []string{"file://" + dir + "/a.wav", "builtin:///a.vxml"} {
		if _, err := f.Get(t.Context(), Request{URL: url}); err != nil {
			t.Error(err)
		}
	}
	_, err := f.Get(t.Context(), Request{URL: "builtin:///missing"})
	var failed *Error
	if !errors.As(err, &failed) || failed.EventName() != "error.badfetch" {
		t.Errorf("error %v", err)
	}
}

// A file is read once for all calls, until it is written again.
func TestFilesAreShared(t *testing.T) {
	path := filepath.Join(t.TempDir(), "prompt.wav")
	write := func(text string, age time.Duration) {
		t.Helper()
		when := time.Now().Add(-age)
		if err := errors.Join(os.WriteFile(path, []byte(text), 0o600), os.Chtimes(path, when, when)); err != nil {
			t.Fatal(err)
		}
	}
	f := New(Config{})
	get := func() *Resource {
		t.Helper()
		r, err := f.Get(t.Context(), Request{URL: "file://" + path})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	write("one", time.Hour)
	first, again := get(), get()
	if &first.Body[0] != &again.Body[0] || first.FromCache || !again.FromCache {
		t.Errorf("the file was read twice: %v, %v", first, again)
	}
	for _, tt := range []struct {
		name, text string
		age        time.Duration
	}{
		{"another time", "two", time.Minute},
		{"another length at the same time", "three", time.Minute},
		{"just now", "4", 0},
		{"just now once more", "5", 0},
	} {
		write(tt.text, tt.age)
		if r := get(); string(r.Body) != tt.text {
			t.Errorf("%s: %q", tt.name, r.Body)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if r, err := f.Get(t.Context(), Request{URL: "file://" + path}); err == nil {
		t.Errorf("a file that is gone: %q", r.Body)
	}
}

func TestResolve(t *testing.T) {
	tests := []struct{ base, ref, want, fragment string }{
		{"http://h/a/b.vxml", "c.vxml", "http://h/a/c.vxml", ""},
		{"http://h/a/b.vxml", "../c.vxml#d", "http://h/c.vxml", "d"},
		{"http://h/a/b.vxml?x=1", "?y=2", "http://h/a/b.vxml?y=2", ""},
		{"http://h/a", "https://k/", "https://k/", ""},
		{"", "/abs/a.vxml", "file:///abs/a.vxml", ""},
		{"", "http://h/a#b", "http://h/a", "b"},
		{"http://h/a", " spaced ", "http://h/spaced", ""},
		{"http://h/a", "builtin:dtmf/digits?length=4", "builtin:dtmf/digits?length=4", ""},
	}
	for _, tt := range tests {
		got, fragment, err := Resolve(tt.base, tt.ref)
		if err != nil || got != tt.want || fragment != tt.fragment {
			t.Errorf("%q from %q is %q#%q (%v), want %q#%q", tt.ref, tt.base, got, fragment, err, tt.want, tt.fragment)
		}
	}
}
