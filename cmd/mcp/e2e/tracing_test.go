package e2e

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"mcp/control/node"
	"mcp/control/reporting/spans/spanstest"
)

// A call's trace has its signalling, its dialogue's turns, its prompts, what was heard and
// what was fetched; web servers are told of it, and of what the caller keyed it has nothing.
func TestCallIsTraced(t *testing.T) {
	collector := &spanstest.Collector{}
	server := httptest.NewServer(collector)
	t.Cleanup(server.Close)
	r := newRig(t, func(c *node.Config) { c.Health.Tracing.Endpoint = server.URL })
	asking(r.pages)
	var mu sync.Mutex
	var told string
	r.pages.handle("/bye.vxml", func(w http.ResponseWriter, q *http.Request) {
		mu.Lock()
		told = q.Header.Get("traceparent")
		mu.Unlock()
		_, _ = w.Write([]byte(`<vxml version="2.1" xmlns="http://www.w3.org/2001/vxml"><form><block><disconnect/></block></form></vxml>`))
	})
	_, _ = r.call(t.Context(), "listen; say yes; listen; dtmf 2749; await") // which may end while the last key is still held
	record := r.record(1)
	r.end() // which sends what there is
	found := map[string]int{}
	var requests []string
	for _, s := range collector.Spans() {
		found[s.Name]++
		if s.Trace != strings.ReplaceAll(record.ID, "-", "") {
			t.Errorf("%s is of the trace %s, not of the call's %s", s.Name, s.Trace, record.ID)
		}
		if s.Name == "GET" {
			requests = append(requests, s.Trace+"-"+s.ID)
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
	if !slices.ContainsFunc(requests, func(id string) bool { return told == "00-"+id+"-01" }) {
		t.Errorf("the web server was told %q, the requests are %v", told, requests)
	}
}
