package ors

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mcp/control/ors/orstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func client(t *testing.T, urls ...string) *Client {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return New(Config{
		URLs: urls, Request: "treatment", Done: "treatment.done", Ended: "call.ended",
		Timeout: 20 * time.Second, Hold: time.Nanosecond, Transport: transport,
	})
}

func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// A session is started, asked, told and ended by the paths of the REST interface.
func TestSession(t *testing.T) {
	var asked []string
	stand := &orstest.Server{Treatments: []orstest.Treatment{{Name: "a", Src: "http://das/a.vxml?x=1&y=2"}}}
	c := client(t, serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.URL.RequestURI())
		stand.ServeHTTP(w, r)
	})))
	ctx := t.Context()
	id, err := c.Start(ctx, "http://web/app.scxml", url.Values{"ani": {"sip:ann@h"}})
	if err != nil || id != "00ORS000001" || stand.Started(id).Get("src") != "http://web/app.scxml" || stand.Started(id).Get("ani") != "sip:ann@h" {
		t.Fatalf("%s, %v, %v", id, err, stand.Started(id))
	}
	_, body, err := c.Request(ctx, id, "treatment", nil)
	treatment, none, perr := ParseTreatment(body)
	if err != nil || perr != nil || none || treatment != (Treatment{Name: "a", Src: "http://das/a.vxml?x=1&y=2"}) {
		t.Errorf("%+v, %t, %v, %v", treatment, none, err, perr)
	}
	if err := c.Event(ctx, id, "treatment.done", url.Values{"outcome": {"completed"}}); err != nil {
		t.Error(err)
	}
	if e := stand.Events(); len(e) != 1 || e[0].Name != "treatment.done" || e[0].With.Get("outcome") != "completed" {
		t.Errorf("%+v", e)
	}
	if err := c.Terminate(ctx, id); err != nil {
		t.Error(err)
	}
	var status *StatusError
	if err := c.Event(ctx, id, "late", nil); !errors.As(err, &status) || status.Status != 404 {
		t.Errorf("an event of no session: %v", err)
	}
	want := "[POST /scxml/session/start GET /scxml/session/00ORS000001/request/treatment POST /scxml/session/00ORS000001/event/treatment.done POST /scxml/session/00ORS000001/terminate POST /scxml/session/00ORS000001/event/late]"
	if fmt.Sprint(asked) != want {
		t.Errorf("asked %v", asked)
	}
}

// However a server names the session it has started, the name is found; what could
// lead elsewhere in a URL is none.
func TestNamesOfSessions(t *testing.T) {
	for _, tt := range []struct{ location, body, want string }{
		{"", "00ABC~12", "00ABC~12"},
		{"", "\"00ABC\"\n", "00ABC"},
		{"", `{"sessionId":"00ABC"}`, "00ABC"},
		{"", `{"id":"00ABC","state":1}`, "00ABC"},
		{"/scxml/session/00ABC", "started", "00ABC"},
		{"", "", ""},
		{"", "<html>Welcome to our proxy</html>", ""},
		{"", `{"id":7}`, ""},
		{"", "../../admin", ""},
		{"", "..", ""},
		{"", strings.Repeat("a", 200), ""},
	} {
		c := client(t, serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if tt.location != "" {
				w.Header().Set("Location", tt.location)
			}
			fmt.Fprint(w, tt.body)
		})))
		if id, err := c.Start(t.Context(), "http://web/a.scxml", nil); id != tt.want && tt.want != "" || (err == nil) != (tt.want != "") {
			t.Errorf("%+v: %q, %v", tt, id, err)
		}
	}
	for _, name := range []string{"", "a/b", "a?b", "a b", "a%2fb", ".", "..", "ü"} {
		if Name(name) == nil {
			t.Errorf("%q is a name", name)
		}
	}
}

// One server stands in for another that cannot be reached or says it cannot, and is
// asked first from then on; other answers are final.
func TestFailOver(t *testing.T) {
	gone := httptest.NewServer(nil)
	gone.Close()
	for _, tt := range []struct {
		name   string
		first  http.HandlerFunc // nil: nobody listens
		passes bool
	}{
		{"nobody listens", nil, true},
		{"503", status(503), true},
		{"502", status(502), true},
		{"500", status(500), false},
		{"404", status(404), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var hits atomic.Int32
			first := gone.URL
			if tt.first != nil {
				first = serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { hits.Add(1); tt.first(w, r) }))
			}
			stand := &orstest.Server{}
			stand.Join("s")
			c := client(t, first, serve(t, stand))
			for range 3 {
				if err := c.Event(t.Context(), "s", "e", nil); (err == nil) != tt.passes {
					t.Errorf("%v", err)
				}
			}
			if tt.passes && hits.Load() > 1 {
				t.Errorf("a server that failed was asked %d times", hits.Load())
			}
		})
	}
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// Whatever a server does, an exchange ends, and with an error that says why.
func TestHostileServers(t *testing.T) {
	stand := &orstest.Server{}
	stand.Join("s")
	good := serve(t, stand)
	secure := httptest.NewTLSServer(http.RedirectHandler(good, http.StatusTemporaryRedirect))
	defer secure.Close()
	release := make(chan struct{})
	defer close(release)
	for _, tt := range []struct {
		name  string
		url   string
		says  string
		quick bool // the time-out is short
	}{
		{name: "redirects", url: serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, good+r.URL.RequestURI(), http.StatusTemporaryRedirect)
		}))},
		{name: "redirects to itself", url: serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.RequestURI(), http.StatusTemporaryRedirect)
		})), says: "too many redirects"},
		{name: "gives up encryption", url: secure.URL, says: "from https to http"},
		{name: "never ends", url: serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		})), says: "too large"},
		{name: "says nothing", url: serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // the server sees only then that the client goes
			select {
			case <-r.Context().Done():
			case <-release:
			}
		})), says: "deadline exceeded", quick: true},
		{name: "hangs up", url: serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			panic(http.ErrAbortHandler)
		})), says: "EOF"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := client(t, tt.url)
			if tt.url == secure.URL {
				transport := secure.Client().Transport.(*http.Transport).Clone()
				defer transport.CloseIdleConnections()
				c.http.Transport = transport
			}
			if tt.quick {
				c.config.Timeout = 50 * time.Millisecond
			}
			err := c.Event(t.Context(), "s", "e", url.Values{"a": {"b"}})
			if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%v, want %q", err, tt.says)
			}
		})
	}
	if e := stand.Events(); len(e) != 1 || e[0].With.Get("a") != "b" {
		t.Errorf("after a redirect the event is %+v", e)
	}
}

// The page's URLs stand for the session, and its treatments for XML that a page reads.
func TestPageReachesItsSession(t *testing.T) {
	empty := true
	stand := &orstest.Server{Treatments: []orstest.Treatment{{Name: `<a "b">`, Src: "http://das/a.vxml?x=1&y=2"}}, JSON: true}
	stand.Fault = func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/request/treatment") && empty {
			empty = false
			w.WriteHeader(http.StatusNoContent)
			return true
		}
		return false
	}
	stand.Join("s~1")
	c := client(t, serve(t, stand))
	c.config.Hold = 20 * time.Second
	transport := &http.Transport{}
	transport.RegisterProtocol(Scheme, c)
	browser := &http.Client{Transport: transport}
	base := strings.TrimSuffix(PageURL("s~1"), "loop.vxml")
	get := func(path string) string {
		res, err := browser.Get(base + path)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%d %s", res.StatusCode, body)
	}
	if page := get("loop.vxml"); !strings.HasPrefix(page, "200 <?xml") {
		t.Error(page)
	}
	if got := get("next"); got != `200 <treatment kind="page" name="&lt;a &#34;b&#34;&gt;" src="http://das/a.vxml?x=1&amp;y=2"/>` {
		t.Error(got)
	}
	if got := get("next"); got != `200 <treatment kind="end" name="" src=""/>` {
		t.Error(got)
	}
	if got := get("elsewhere"); !strings.HasPrefix(got, "404") {
		t.Error(got)
	}
	res, err := browser.PostForm(base+"done", url.Values{"result": {`{"n":1}`}})
	if err != nil || res.StatusCode != 200 {
		t.Fatalf("%v, %v", res, err)
	}
	res.Body.Close()
	if e := stand.Events(); len(e) != 1 || e[0].Name != "treatment.done" || e[0].With.Get("result") != `{"n":1}` {
		t.Errorf("%+v", e)
	}
	if res, err = browser.Get("ors://zz/next"); err != nil || res.StatusCode != 404 {
		t.Fatalf("%v, %v", res, err)
	}
	res.Body.Close()
}

// A session that has no treatment for long lets the page ask again.
func TestNoTreatmentYet(t *testing.T) {
	c := client(t, serve(t, status(http.StatusNoContent)))
	r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, PageURL("s"), nil)
	res, err := c.next(r, "s")
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(res.Body); err != nil || !strings.Contains(string(body), `kind="none"`) {
		t.Errorf("%s, %v", body, err)
	}
}

func TestTreatments(t *testing.T) {
	for _, tt := range []struct {
		body string
		want Treatment
		none bool
		bad  bool
	}{
		{body: "", none: true},
		{body: " \n", none: true},
		{body: `<treatment name="n" src=" http://h/a "/>`, want: Treatment{Name: "n", Src: "http://h/a"}},
		{body: `<?xml version="1.0"?><treatment end="true"/>`, want: Treatment{End: true}},
		{body: `{"treatment":"n","src":"http://h/a"}`, want: Treatment{Name: "n", Src: "http://h/a"}},
		{body: `{"end":true}`, want: Treatment{End: true}},
		{body: `<treatment/>`, bad: true},
		{body: `<html/>`, bad: true},
		{body: `{"src":7}`, bad: true},
		{body: `hello`, bad: true},
	} {
		got, none, err := ParseTreatment([]byte(tt.body))
		if got != tt.want || none != tt.none || errors.Is(err, ErrTreatment) != tt.bad {
			t.Errorf("%q: %+v, %t, %v", tt.body, got, none, err)
		}
	}
}

func FuzzTreatment(f *testing.F) {
	f.Add([]byte(`<treatment name="n" src="http://h/a"/>`))
	f.Add([]byte(`{"treatment":"n","src":"http://h/a"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		got, none, err := ParseTreatment(body)
		if err == nil && !none && !got.End && got.Src == "" {
			t.Errorf("%q is a treatment without anything", body)
		}
		if again, _, err2 := ParseTreatment(got.document(none)); err == nil && !none && !got.End && (err2 != nil || again.Src == "") {
			t.Errorf("%q becomes %q: %v", body, got.document(none), err2)
		}
	})
}
