package vxml_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"

	"mcp/vxml"
	"mcp/vxml/fetch"
	"mcp/vxml/secrecy"
)

// waited is a caller who hangs up while the application waits for a key, on a platform
// that, as a telephone's, is told of all that happens.
type waited struct {
	hungUp chan struct{}
	hasty  bool          // hangs up at once
	waits  chan struct{} // closed when something is played
}

func (w *waited) Play(context.Context, []vxml.Prompt) (vxml.Playback, error) {
	if w.hasty {
		close(w.hungUp)
	} else {
		close(w.waits)
	}
	return &cut{done: make(chan struct{})}, nil
}

func (w *waited) Listen(context.Context, vxml.ListenRequest) (vxml.Listening, error) {
	return nil, &vxml.Event{Name: "error.noresource"}
}
func (w *waited) Digits() <-chan vxml.Digit                       { return nil }
func (w *waited) HungUp() <-chan struct{}                         { return w.hungUp }
func (w *waited) Disconnect(context.Context, vxml.Namelist) error { return nil }
func (w *waited) Info() vxml.ConnectionInfo                       { return vxml.ConnectionInfo{} }
func (w *waited) Streams()                                        {}
func (w *waited) Private(bool)                                    {}
func (w *waited) Reason() string                                  { return "" }
func (w *waited) Messages() <-chan *vxml.Message                  { return nil }
func (w *waited) Send(context.Context, vxml.Message) error        { return nil }

// cut is a playback that lasts until it is stopped.
type cut struct{ done chan struct{} }

func (c *cut) Done() <-chan struct{} { return c.done }
func (c *cut) Err() error            { return nil }
func (c *cut) Stop()                 { close(c.done) }

// kept is a web server whose answers may be kept.
type kept map[string]string

func (s kept) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusOK, Request: r, Header: http.Header{"Cache-Control": {"max-age=3600"}},
		Body: io.NopCloser(strings.NewReader(s[r.URL.Path])),
	}, nil
}

// simple is an interpreter of a page with one field and one prompt, in its cache, and how
// its sessions start.
func simple() (*vxml.Interpreter, vxml.Start) {
	in := vxml.New(vxml.Options{Fetcher: fetch.New(fetch.Config{Client: &http.Client{Transport: kept{
		"/a.vxml": vxmlPage(`<property name="inputmodes" value="dtmf"/><form><field name="digit">
			<grammar mode="dtmf" version="1.0" root="d"><rule id="d"><one-of><item>1</item><item>2</item></one-of></rule></grammar>
			<prompt timeout="60s"><audio src="prompt.wav"/></prompt></field></form>`),
		"/prompt.wav": "RIFF",
	}}})})
	vars := []vxml.Variable{
		{Name: "com.genesyslab", Make: func() any { return map[string]any{} }}, {Name: "connection.callidref", Make: func() any { return "1@there" }},
	}
	secrets := &secrecy.Secrets{}
	return in, vxml.Start{
		URL: "http://site/a.vxml", Vars: vars, Trace: func(vxml.TraceEvent) {}, Steps: func(vxml.Step) {},
		Secrets: secrets, Logger: secrets.Logger(slog.New(slog.DiscardHandler)),
	}
}

// A session whose caller hangs up while it waits: what most calls are of a platform that
// is overrun.
func BenchmarkHangUp(b *testing.B) {
	in, start := simple()
	b.ReportAllocs()
	for b.Loop() {
		out, err := in.Run(b.Context(), start, &waited{hungUp: make(chan struct{}), hasty: true})
		if err != nil || out.End != vxml.HungUp {
			b.Fatal(out, err)
		}
	}
}

// Sessions that wait: what each keeps meanwhile, but for its goroutine's stack.
func BenchmarkWaiting(b *testing.B) {
	in, start := simple()
	hungUp, all := make(chan struct{}), sync.WaitGroup{}
	inUse := func() float64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc)
	}
	const sessions = 2000
	before := inUse()
	for range sessions {
		w := &waited{hungUp: hungUp, waits: make(chan struct{})}
		all.Go(func() {
			if out, err := in.Run(context.Background(), start, w); err != nil || out.End != vxml.HungUp {
				b.Error(out, err)
			}
		})
		<-w.waits
	}
	b.ReportMetric((inUse()-before)/sessions, "B/session")
	close(hungUp)
	all.Wait()
}
