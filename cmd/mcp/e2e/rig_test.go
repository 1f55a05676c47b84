// Package e2e calls the whole platform: real SIP, RTP, HTTP and MRCP between it
// and far ends that a test can make slow, dead or wrong.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mcp/cmd/mcplab/caller"
	"mcp/control/node"
	"mcp/control/reporting"
	"mcp/control/reporting/journal"
	"mcp/control/sip"
	"mcp/control/sip/header"
	"mcp/speech/mrcp/mrcptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 30 * time.Second

// rig is a platform with its far ends, all on loopback.
type rig struct {
	t      *testing.T
	log    *logBook
	cfg    node.Config
	sip    string // where the platform listens
	probes string
	pages  *pages
	speech *speechEnd
	agent  *sip.Agent // the callers'
	ended  chan struct{}
	stop   context.CancelFunc

	speechless bool // no call has speech that could stay in the kernel
}

// newRig starts everything; change may alter the platform's configuration.
func newRig(t *testing.T, change func(*node.Config)) *rig {
	t.Helper()
	r := &rig{t: t, log: &logBook{}, ended: make(chan struct{})}
	r.pages = newPages(t)
	r.speech = newSpeechEnd(t)
	r.agent = serveAgent(t, sip.Nobody{})
	r.cfg = node.Defaults()
	r.cfg.SIP.Listen = []string{"tcp:127.0.0.1:0"}
	r.cfg.Media.Plane = "socket"
	r.cfg.Calls.Drain = 0 // calls that a test leaves are hung up
	r.cfg.Health.Listen = "127.0.0.1:0"
	r.cfg.Health.Console.Listen = "127.0.0.1:0"
	r.cfg.Reporting.Journal = t.TempDir()
	r.cfg.Upload.Folder = t.TempDir()
	r.cfg.Application.Default = r.pages.server.URL + "/main.vxml"
	r.cfg.Speech.MRCP.URI = r.speech.uri()
	if pins := os.Getenv(onKernel); pins != "" {
		r.cfg.Media.Plane, r.cfg.Media.Interfaces, r.cfg.Media.Pins = "xdp-generic", []string{"lo"}, pins
	}
	if change != nil {
		change(&r.cfg)
	}
	r.start()
	return r
}

func (r *rig) start() {
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	go func() {
		defer close(r.ended)
		if err := node.Run(ctx, r.cfg, nil, slog.New(r.log)); err != nil {
			r.t.Errorf("platform: %v", err)
		}
	}()
	r.t.Cleanup(r.end)
	ready := r.log.wait(r.t, "ready")
	r.sip = fmt.Sprint(ready["sip"])
	r.probes = fmt.Sprint(ready["probes"])
	if r.t.Failed() {
		r.t.Log(r.log.text())
	}
}

// end stops the platform and shows its log if the test has failed.
func (r *rig) end() {
	r.stop()
	<-r.ended
	if r.t.Failed() {
		r.t.Log(r.log.text())
	}
}

func (r *rig) target() string {
	return "sip:ivr@" + strings.TrimPrefix(r.sip, "tcp:") + ";transport=tcp"
}

// call places a call that follows a script.
func (r *rig) call(ctx context.Context, script string) (*caller.Summary, error) {
	return r.callTo(ctx, r.target(), script)
}

func (r *rig) callTo(ctx context.Context, target, script string) (*caller.Summary, error) {
	return r.callWith(ctx, caller.Config{To: target}, script)
}

// longestCall is when a call is given up: nothing that a test waits for is to come.
const longestCall = 3 * time.Minute

// callWith places a call whose caller has Quiet and Voice as all of the rig have.
func (r *rig) callWith(ctx context.Context, cfg caller.Config, script string) (*caller.Summary, error) {
	steps, err := caller.ParseScript(script)
	if err != nil {
		r.t.Fatal(err)
	}
	cfg.Quiet = 300 * time.Millisecond
	cfg.Voice = func(_ context.Context, text string) ([]int16, error) {
		return r.speech.engine.Beeps(len(strings.Fields(text))), nil
	}
	ctx, cancel := context.WithTimeout(ctx, longestCall)
	defer cancel()
	return caller.NewPhone(r.agent, cfg).Call(ctx, steps)
}

// record waits for the n-th call record, counted from one.
func (r *rig) record(n int) *reporting.Record {
	r.t.Helper()
	var records []*reporting.Record
	await(r.t, fmt.Sprintf("call record %d", n), func() bool {
		records = r.records()
		return len(records) >= n
	})
	return records[n-1]
}

// records are the call records that there are.
func (r *rig) records() (records []*reporting.Record) {
	for stored, err := range reporting.Read(r.cfg.Reporting.Journal, journal.Position{}) {
		if err != nil { // an entry that is being written
			break
		}
		if stored.Record != nil { // not what the application logged
			records = append(records, stored.Record)
		}
	}
	return records
}

// nothingLeft checks the platform's own gauges, and the counters of its speech.
func (r *rig) nothingLeft() {
	r.t.Helper()
	if !r.speechless {
		r.staysInKernel()
	}
	r.nothingHeld()
	await(r.t, "speech sessions to end", func() bool { return r.speech.server.Sessions() == 0 })
}

// nothingHeld checks the gauges alone.
func (r *rig) nothingHeld() {
	r.t.Helper()
	for _, gauge := range []string{"mcp_calls_active", "mcp_media_legs", "mcp_media_ports_used"} {
		await(r.t, gauge+" to be 0", func() bool { return r.metric(gauge) == "0" })
	}
}

func (r *rig) metric(name string) string {
	resp, err := http.Get("http://" + r.probes + "/metrics")
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	for line := range strings.Lines(string(body)) {
		if value, found := strings.CutPrefix(line, name+" "); found {
			return strings.TrimSpace(value)
		}
	}
	return "absent"
}

func await(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// pages is a web server whose pages a test writes.
type pages struct {
	server *httptest.Server
	mu     sync.Mutex
	mux    map[string]http.HandlerFunc
	asked  []string
}

func newPages(t *testing.T) *pages {
	p := &pages{mux: map[string]http.HandlerFunc{}}
	p.server = httptest.NewServer(http.HandlerFunc(p.serve))
	t.Cleanup(p.server.Close)
	return p
}

func (p *pages) serve(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.asked = append(p.asked, r.URL.RequestURI())
	h := p.mux[r.URL.Path]
	p.mu.Unlock()
	if h == nil {
		http.NotFound(w, r)
		return
	}
	h(w, r)
}

func (p *pages) handle(path string, h http.HandlerFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mux[path] = h
}

// page publishes a document body as a whole VoiceXML page.
func (p *pages) page(path, body string) {
	p.handle(path, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `<?xml version="1.0"?><vxml version="2.1" xmlns="http://www.w3.org/2001/vxml" xml:lang="en-US">%s</vxml>`, body)
	})
}

func (p *pages) requests() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.asked...)
}

// speechEnd is a speech server over an engine that beeps and hears what it is told.
type speechEnd struct {
	engine *mrcptest.Canned
	server *mrcptest.Server
	agent  *sip.Agent

	mu    sync.Mutex
	parts [][]header.Part // of the INVITEs
}

func newSpeechEnd(t *testing.T) *speechEnd { return newSpeechEndAt(t, "127.0.0.1") }

func newSpeechEndAt(t *testing.T, host string) *speechEnd {
	s := &speechEnd{engine: mrcptest.NewCanned("yes", "yes", "yes", "yes")}
	server, err := mrcptest.NewServer(mrcptest.Config{Addr: netip.MustParseAddr(host)}, s.engine, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s.server = server
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	s.agent = serveAgentAt(t, host, s)
	return s
}

func (s *speechEnd) uri() string {
	return "sip:mresources@" + s.agent.Addrs()[0].String() + ";transport=tcp"
}

// Invite implements sip.Handler.
func (s *speechEnd) Invite(ctx context.Context, d *sip.Dialog) {
	s.mu.Lock()
	s.parts = append(s.parts, d.Parts())
	s.mu.Unlock()
	answer, session, err := s.server.Answer(d.RemoteSDP(), d.RemoteHost())
	if err != nil {
		refusal := &mrcptest.Refusal{Status: 500, Reason: "Server Internal Error"}
		errors.As(err, &refusal)
		_ = d.Reject(ctx, refusal.Status, refusal.Reason, nil)
		return
	}
	defer session.Close()
	if d.Answer(ctx, answer) != nil {
		return
	}
	for {
		select {
		case _, open := <-d.Events():
			if !open {
				return
			}
		case <-session.Done():
			_ = d.Bye(ctx, nil)
			return
		case <-ctx.Done():
			return
		}
	}
}

func serveAgent(t *testing.T, h sip.Handler) *sip.Agent { return serveAgentAt(t, "127.0.0.1", h) }

func serveAgentAt(t *testing.T, host string, h sip.Handler) *sip.Agent {
	a, err := sip.New(sip.Config{Listen: []string{"tcp:" + host + ":0"}}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := a.Serve(ctx, h); err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	t.Cleanup(func() { stop(); serving.Wait() })
	return a
}

// logBook keeps the platform's log as JSON lines.
type logBook struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBook) Enabled(context.Context, slog.Level) bool { return true }
func (b *logBook) WithGroup(string) slog.Handler            { return b }

func (b *logBook) WithAttrs(attrs []slog.Attr) slog.Handler {
	return slog.NewJSONHandler(b, &slog.HandlerOptions{Level: slog.LevelDebug}).WithAttrs(attrs)
}

func (b *logBook) Handle(ctx context.Context, r slog.Record) error {
	return b.WithAttrs(nil).Handle(ctx, r)
}

func (b *logBook) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBook) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// lines returns the lines with a message.
func (b *logBook) lines(msg string) []map[string]any {
	var found []map[string]any
	for line := range strings.Lines(b.text()) {
		var m map[string]any
		if json.Unmarshal([]byte(line), &m) == nil && m["msg"] == msg {
			found = append(found, m)
		}
	}
	return found
}

func (b *logBook) wait(t *testing.T, msg string) map[string]any {
	t.Helper()
	var found []map[string]any
	await(t, "log line "+msg, func() bool { found = b.lines(msg); return len(found) > 0 })
	return found[0]
}
