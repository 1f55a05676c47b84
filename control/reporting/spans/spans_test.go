package spans

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"mcp/control/reporting"
	"mcp/control/reporting/spans/spanstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tracer is a tracer with a collector; closing it sends what it has.
func tracer(t *testing.T, c *spanstest.Collector, change func(*Config), log *slog.Logger) *Tracer {
	t.Helper()
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	client := server.Client()
	t.Cleanup(client.CloseIdleConnections)
	config := Config{URL: server.URL + "/v1/traces", Client: client, Ratio: 1, Instance: "here"}
	if change != nil {
		change(&config)
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	tr, err := New(config, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tr.Close(); err != nil {
			t.Error(err)
		}
	})
	return tr
}

// step is something that happens in a call.
type step struct {
	name reporting.Step
	text string
}

// dialogue is a call of two turns.
var dialogue = []step{
	{reporting.StepReceived, "INVITE sip:4711@ivr.example"}, {reporting.StepRoute, "dialog"}, {reporting.StepSent, "200 OK"}, {reporting.StepReceived, "ACK"},
	{reporting.StepBegun, "sip:4711@ivr.example"}, {reporting.StepAppBegun, "http://web/a.vxml"}, {reporting.StepFormEntered, "main"},
	{reporting.StepSelected, "pin"}, {reporting.StepPromptStart, "en-US"}, {reporting.StepPromptType, "tts"}, {reporting.StepPromptPlay, "Your pin, Ann"},
	{reporting.StepPromptStop, "bargein"}, {reporting.StepInputStart, "dtmf voice"}, {reporting.StepASROpen, "vosk"}, {reporting.StepASRStart, "en-US"},
	{reporting.StepSpeechSent, "RECOGNIZE 1"}, {reporting.StepSpeechReceived, "1 407 COMPLETE"}, {reporting.StepASRTrace, "match|0.90|forty seven"}, {reporting.StepASREnd, "match"},
	{reporting.StepInputEnd, "voice"}, {reporting.StepFilling, "pin = 47"}, {reporting.StepFetched, "GET http://web/a.vxml: from the cache"},
	{reporting.StepFetched, "GET http://web/b.vxml: 200 in 3 ms, 812 bytes"}, {reporting.StepSelected, "more"}, {reporting.StepKeys, "1234"},
	{reporting.StepEvent, "error.badfetch: no page for Ann"}, {reporting.StepProgress, "party-1 human"}, {reporting.StepReceived, "BYE"},
}

// place lets a call happen, and returns its record.
func place(tr *Tracer, change func(*reporting.Record), steps []step) *reporting.Record {
	r := reporting.Begin(uuid.Must(uuid.NewV7()).String(), time.Now())
	r.Parties = reporting.Parties{Remote: "sip:Ann@home.example", Local: "sip:4711@ivr.example"}
	if change != nil {
		change(r)
	}
	happened := tr.Begun(r)
	for i, s := range steps {
		if happened == nil {
			break // it is not traced
		}
		happened(&reporting.Event{Head: reporting.Head{Kind: reporting.KindShown}, Call: r.ID, Name: string(reporting.StepSelected), At: r.StartedAt}) // is no step
		happened(&reporting.Event{Call: r.ID, Name: string(s.name), Text: s.text, At: r.StartedAt.Add(time.Duration(i+1) * time.Millisecond)})
	}
	r.Media = []reporting.Leg{{Name: "caller", Codec: "PCMU", Received: reporting.Received{MOS: 4.3}}}
	r.Finish(r.StartedAt.Add(time.Second), reporting.End{Cause: reporting.HangUp, By: reporting.Caller, SIPStatus: 200})
	tr.Ended(r)
	if happened != nil {
		happened(&reporting.Event{Call: r.ID, Name: string(reporting.StepSelected), At: r.EndedAt}) // of a call that is over
	}
	return r
}

// named are the spans of a name.
func named(spans []spanstest.Span, name string) (found []spanstest.Span) {
	return slices.DeleteFunc(slices.Clone(spans), func(s spanstest.Span) bool { return s.Name != name })
}

func TestCallIsOneTrace(t *testing.T) {
	c := &spanstest.Collector{}
	tr := tracer(t, c, nil, nil)
	r := place(tr, nil, dialogue)
	if err := tr.Close(); err != nil {
		t.Fatal(err)
	}
	spans := c.Spans()
	var names []string
	byID := map[string]string{}
	for _, s := range spans {
		names = append(names, s.Name)
		byID[s.ID] = s.Name
		if s.Trace != strings.ReplaceAll(r.ID, "-", "") {
			t.Errorf("%s is of trace %s, not of the call's %s", s.Name, s.Trace, r.ID)
		}
	}
	if want := "call dialog, INVITE, turn, prompt, input, recognition, turn"; strings.Join(names, ", ") != want {
		t.Fatalf("spans %v, want %s", names, want)
	}
	for i, parent := range []string{"", "call dialog", "call dialog", "turn", "turn", "turn", "call dialog"} {
		if byID[spans[i].Within] != parent {
			t.Errorf("%s is within %q, not %q", names[i], byID[spans[i].Within], parent)
		}
	}
	root, turns, heard := spans[0], named(spans, "turn"), spans[5]
	for name, want := range map[string]any{
		"mcp.call.id": r.ID, "mcp.service": "dialog", "mcp.end.cause": "hang-up", "mcp.end.by": "caller", "mcp.sip.status": int64(200), "mcp.media.mos": 4.3,
	} {
		if got := root.Values()[name]; got != want {
			t.Errorf("%s is %v, not %v", name, got, want)
		}
	}
	if v := turns[0].Values(); v["mcp.dialogue.form"] != "main" || v["mcp.dialogue.item"] != "pin" {
		t.Errorf("the first turn is %v", v)
	}
	if v := turns[1].Values(); v["error.type"] != "error.badfetch" || turns[1].Status.GetCode().String() != "STATUS_CODE_ERROR" {
		t.Errorf("the second turn is %v, %v", v, turns[1].Status)
	}
	if notes := turns[1].Notes(); !slices.Contains(notes, "call_progress") {
		t.Errorf("the second turn has %v", notes)
	}
	if v := heard.Values(); v["mcp.speech.engine"] != "vosk" || v["mcp.speech.outcome"] != "match" || strings.Join(heard.Notes(), " ") != "mrcp_sent mrcp_received asr_trace" {
		t.Errorf("the recognition is %v with %v", v, heard.Notes())
	}
	if took := time.Duration(heard.EndTimeUnixNano - heard.StartTimeUnixNano); took != 4*time.Millisecond {
		t.Errorf("the recognition took %s", took)
	}
	if notes := turns[0].Notes(); strings.Join(notes, " ") != "filling fetched" { // what was asked of a web server has a span
		t.Errorf("the first turn has %v", notes)
	}
	if res := c.Resource(); res["service.name"] != "mcp" || res["service.instance.id"] != "here" {
		t.Errorf("the resource is %v", res)
	}
}

// What callers said and who they are is in traces only where that is asked for.
func TestContentIsKeptOut(t *testing.T) {
	for _, content := range []bool{false, true} {
		c := &spanstest.Collector{}
		tr := tracer(t, c, func(c *Config) { c.Content = content }, nil)
		place(tr, nil, dialogue)
		if err := tr.Close(); err != nil {
			t.Fatal(err)
		}
		var all strings.Builder
		for _, s := range c.Spans() {
			all.WriteString(s.String())
		}
		for _, said := range []string{"Ann", "4711", "forty seven", "1234", "pin = 47"} {
			if strings.Contains(all.String(), said) != content {
				t.Errorf("content=%t, but of %q: %t", content, said, !content)
			}
		}
	}
}

func TestWhichCallsAreTraced(t *testing.T) {
	const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-"
	for _, tt := range []struct {
		name   string
		ratio  float64
		parent string
		traced bool
		within string
	}{
		{"all", 1, "", true, ""},
		{"none", 0, "", false, ""},
		{"of a trace", 0, trace + "01", true, "b7ad6b7169203331"},
		{"of a trace that is not recorded", 1, trace + "00", false, ""},
		{"of what is no trace", 1, "nonsense", true, ""},
		{"of what is no trace, and none", 0, "00-0-0-01", false, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := &spanstest.Collector{}
			tr := tracer(t, c, func(c *Config) { c.Ratio = tt.ratio }, nil)
			place(tr, func(r *reporting.Record) { r.Parent = tt.parent }, dialogue[:2])
			if err := tr.Close(); err != nil {
				t.Fatal(err)
			}
			spans := named(c.Spans(), "call dialog")
			if (len(spans) > 0) != tt.traced || tt.traced && spans[0].Within != tt.within {
				t.Errorf("%d spans, the first %+v", len(spans), spans)
			}
		})
	}
	tr := &Tracer{threshold: threshold(0.25)}
	var traced int
	for range 4000 {
		if _, sampled := tr.context(&reporting.Record{Head: reporting.Head{ID: uuid.Must(uuid.NewV7()).String()}}); sampled {
			traced++
		}
	}
	if traced < 850 || traced > 1150 { // five standard deviations
		t.Errorf("of 4000 calls %d are traced, not a quarter", traced)
	}
}

// Web servers are told of the trace, and a request has a span by the conventions.
func TestRequestsToWebServers(t *testing.T) {
	var mu sync.Mutex
	told := map[string]string{}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		told[r.URL.Path] = r.Header.Get("traceparent")
		mu.Unlock()
		if r.URL.Path == "/none" {
			http.NotFound(w, r)
		}
	}))
	defer web.Close()
	c := &spanstest.Collector{}
	tr := tracer(t, c, nil, nil)
	r := reporting.Begin(uuid.Must(uuid.NewV7()).String(), time.Now())
	tr.Begun(r)
	client := http.Client{Transport: tr.Transport(web.Client().Transport)}
	defer client.CloseIdleConnections()
	get := func(ctx context.Context, method, url string) {
		q, _ := http.NewRequestWithContext(ctx, method, url, nil)
		if resp, err := client.Do(q); err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
	}
	within := reporting.WithCall(t.Context(), r.ID)
	get(within, "GET", web.URL+"/a.vxml?pin=47")
	get(within, "POST", web.URL+"/none")
	get(within, "BREW", "http://127.0.0.1:1/")
	get(t.Context(), "GET", web.URL+"/of-no-call")
	get(reporting.WithCall(t.Context(), "another"), "GET", web.URL+"/of-another-call")
	r.Finish(time.Now(), reporting.End{})
	tr.Ended(r)
	if err := tr.Close(); err != nil {
		t.Fatal(err)
	}
	spans := c.Spans()
	gets, posts, brews := named(spans, "GET"), named(spans, "POST"), named(spans, "HTTP")
	if len(gets) != 1 || len(posts) != 1 || len(brews) != 1 {
		t.Fatalf("spans %v", spans)
	}
	if want := "00-" + gets[0].Trace + "-" + gets[0].ID + "-01"; told["/a.vxml"] != want {
		t.Errorf("told %q, not %q", told["/a.vxml"], want)
	}
	if told["/of-no-call"] != "" || told["/of-another-call"] != "" {
		t.Errorf("told %v", told)
	}
	if v := gets[0].Values(); v["url.full"] != web.URL+"/a.vxml" || v["http.request.method"] != "GET" || v["http.response.status_code"] != int64(200) || v["server.address"] != "127.0.0.1" || v["server.port"] == nil {
		t.Errorf("GET: %v", v)
	}
	if v := posts[0].Values(); v["error.type"] != "404" || posts[0].Status.GetCode() == 0 {
		t.Errorf("POST: %v %v", v, posts[0].Status)
	}
	if v := brews[0].Values(); v["http.request.method"] != "_OTHER" || v["error.type"] == nil || !strings.Contains(brews[0].Status.GetMessage(), "refused") {
		t.Errorf("BREW: %v %v", v, brews[0].Status)
	}
	if none := (*Tracer)(nil).Transport(http.DefaultTransport); none != http.DefaultTransport {
		t.Error("without traces there is something between")
	}
}

// A collector that is down holds nothing up, is logged once, and once when it is back.
func TestCollectorThatFails(t *testing.T) {
	var log strings.Builder
	var mu sync.Mutex
	down := true
	c := &spanstest.Collector{Fault: func(w http.ResponseWriter, _ *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		if down {
			http.Error(w, "down", http.StatusBadRequest)
		}
		return down
	}}
	tr := tracer(t, c, nil, slog.New(slog.NewTextHandler(&log, nil)))
	for range 2 {
		place(tr, nil, dialogue)
		if err := tr.provider.ForceFlush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	mu.Lock()
	down = false
	mu.Unlock()
	place(tr, nil, dialogue)
	if err := tr.Close(); err != nil {
		t.Fatal(err)
	}
	if text := log.String(); strings.Count(text, "do not reach") != 1 || strings.Count(text, "again") != 1 || strings.Count(text, "\n") != 2 {
		t.Errorf("the log is %s", text)
	}
	if ended, sent, failed := testutil.ToFloat64(tr.export.ended), testutil.ToFloat64(tr.export.sent), testutil.ToFloat64(tr.export.failed); ended != 21 || sent != 7 || failed != 14 {
		t.Errorf("%v ended, %v sent, %v failed", ended, sent, failed)
	}
}

// A collector that hangs holds the end up for a bounded time.
func TestCollectorThatHangs(t *testing.T) {
	let := make(chan struct{})
	c := &spanstest.Collector{Fault: func(_ http.ResponseWriter, r *http.Request) bool {
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-let:
		case <-r.Context().Done():
		}
		return true
	}}
	tr := tracer(t, c, nil, nil)
	defer close(let)
	for range queue {
		place(tr, nil, dialogue[:3])
	}
	if err := tr.Close(); err != nil {
		t.Error(err)
	}
	if sent := testutil.ToFloat64(tr.export.sent); sent != 0 {
		t.Errorf("%v spans were sent", sent)
	}
}

func BenchmarkCall(b *testing.B) {
	server := httptest.NewServer(&spanstest.Collector{})
	defer server.Close()
	for name, ratio := range map[string]float64{"traced": 1, "not": 0} {
		b.Run(name, func(b *testing.B) {
			tr, err := New(Config{URL: server.URL + "/v1/traces", Client: server.Client(), Ratio: ratio}, slog.New(slog.DiscardHandler))
			if err != nil {
				b.Fatal(err)
			}
			defer tr.Close()
			b.ReportAllocs()
			for b.Loop() {
				place(tr, nil, dialogue)
			}
		})
	}
}
