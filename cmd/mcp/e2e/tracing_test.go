package e2e

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"mcp/cmd/mcplab/caller"
	"mcp/control/node"
	"mcp/control/reporting/spans/spanstest"
)

// A call's trace is one tree below what whoever sent the call has begun: it has its
// signalling, its dialogue's turns, its prompts, what was heard and what was fetched. Every
// web server is told of it, and of what the caller keyed it has nothing.
func TestCallIsTraced(t *testing.T) {
	collector := &spanstest.Collector{}
	server := httptest.NewServer(collector)
	t.Cleanup(server.Close)
	r := newRig(t, func(c *node.Config) {
		c.Health.Tracing.Endpoint, c.Health.Tracing.Parent = server.URL, "X-Traceparent"
	})
	asking(r.pages)
	const trace, sender = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	var mu sync.Mutex
	told := map[string]int{}
	r.pages.handle("/bye.vxml", func(w http.ResponseWriter, q *http.Request) {
		mu.Lock()
		told[q.Header.Get("traceparent")]++
		mu.Unlock()
		_, _ = w.Write([]byte(`<vxml version="2.1" xmlns="http://www.w3.org/2001/vxml"><form><block><disconnect/></block></form></vxml>`))
	})
	begun := map[string]string{"X-Traceparent": "00-" + trace + "-" + sender + "-01"}
	_, _ = r.callWith(t.Context(), caller.Config{To: r.target(), Headers: begun}, "listen; say yes; listen; dtmf 2749; await") // which may end while the last key is still held
	r.record(1)
	r.end() // which sends what there is
	found := map[string]int{}
	var requests []string
	spans := collector.Spans()
	names := map[string]string{sender: "sender"}
	for _, s := range spans {
		names[s.ID] = s.Name
	}
	within := map[string]string{"call voicexml": "sender", "INVITE": "call voicexml", "turn": "call voicexml", "recognition": "turn", "input": "turn"}
	for _, s := range spans {
		found[s.Name]++
		if s.Trace != trace || names[s.Within] == "" {
			t.Errorf("%s is of the trace %s, within %q", s.Name, s.Trace, s.Within)
		}
		if want := within[s.Name]; want != "" && names[s.Within] != want {
			t.Errorf("%s is within %q, not %q", s.Name, names[s.Within], want)
		}
		if s.Name == "GET" {
			requests = append(requests, "00-"+s.Trace+"-"+s.ID+"-01")
		}
		if strings.Contains(s.String(), "2749") {
			t.Errorf("what was keyed is in %s", s.String())
		}
	}
	for name, least := range map[string]int{"call voicexml": 1, "INVITE": 1, "turn": 3, "prompt": 2, "input": 2, "recognition": 1, "GET": 3} {
		if found[name] < least {
			t.Errorf("%d spans %q, not %d: %v", found[name], name, least, found)
		}
	}
	for parent := range told {
		if !slices.Contains(requests, parent) {
			t.Errorf("the web server was told %q, the requests are %v", parent, requests)
		}
	}
	if len(told) == 0 || found["call voicexml"] != 1 {
		t.Errorf("requests %v, spans %v", told, found)
	}
}
