package e2e

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"mcp/cmd/mcplab/netlab"
	"mcp/control/node"
	"mcp/control/ors"
	"mcp/control/ors/orstest"
	"mcp/control/reporting"
)

// orchestrated is a platform whose number 1800 an orchestration server treats.
func orchestrated(t *testing.T, stand *orstest.Server, change func(*node.Config)) *rig {
	t.Helper()
	server := httptest.NewServer(stand)
	t.Cleanup(server.Close)
	return newRig(t, func(c *node.Config) {
		c.Application.ORS.URLs = []string{server.URL}
		c.Application.Numbers = map[string]string{"ivr": "ors;src=http://web.example/app.scxml"}
		if change != nil {
			change(c)
		}
	})
}

// One session of VoiceXML runs treatments one after the other, and the orchestration
// session hears of each one's outcome and of the call's end. A key that is pressed
// early serves the treatment that follows.
func TestTreatmentsOfAnOrchestrationSession(t *testing.T) {
	for _, asJSON := range []bool{false, true} {
		t.Run(fmt.Sprintf("json=%t", asJSON), func(t *testing.T) {
			stand := &orstest.Server{JSON: asJSON}
			r := orchestrated(t, stand, nil)
			for _, name := range []string{"one", "two"} {
				r.pages.page("/"+name+".vxml", `<form><field name="key" type="digits?length=1"><property name="inputmodes" value="dtmf"/>
					<filled><return namelist="key"/></filled></field></form>`)
			}
			stand.Treatments = []orstest.Treatment{
				{Name: "one", Src: r.pages.server.URL + "/one.vxml?x=1&y=2"},
				{Name: "missing", Src: r.pages.server.URL + "/missing.vxml"},
				{Name: "two", Src: r.pages.server.URL + "/two.vxml"},
			}
			// The key after the first comes while the server takes its time.
			stand.Fault = func(_ http.ResponseWriter, r *http.Request) bool {
				if strings.Contains(r.URL.Path, "/event/treatment.done") {
					time.Sleep(500 * time.Millisecond)
				}
				return false
			}
			_, _ = r.call(t.Context(), "dtmf 47; await") // which may end while the key is still held
			record := r.record(1)
			if record.End.Cause != reporting.Completed || record.Application != "http://web.example/app.scxml" {
				t.Errorf("record %+v of %s", record.End, record.Application)
			}
			await(t, "the end to be told", func() bool { return len(stand.Events()) == 4 })
			e := stand.Events()
			for i, want := range []struct{ name, treatment, outcome, result string }{
				{"treatment.done", "one", "completed", `{"key":"4"}`},
				{"treatment.done", "missing", "error.badfetch.http.404", ""},
				{"treatment.done", "two", "completed", `{"key":"7"}`},
				{"call.ended", "", "", ""},
			} {
				with := e[i].With
				if e[i].Name != want.name || with.Get("treatment") != want.treatment || with.Get("outcome") != want.outcome ||
					want.result != "" && with.Get("result") != want.result {
					t.Errorf("event %d: %+v, want %+v", i, e[i], want)
				}
			}
			if cause, from := e[3].With.Get("cause"), stand.Started(e[0].Session).Get("ani"); cause != "completed" || !strings.HasPrefix(from, "sip:") {
				t.Errorf("cause %q, call of %q", cause, from)
			}
			r.nothingLeft()
		})
	}
}

// A caller who goes is told to the session, and servers that fail are borne or, when
// nothing helps, end the call with an error that says so.
func TestOrchestrationServersThatFail(t *testing.T) {
	fail := func(w http.ResponseWriter) bool { w.WriteHeader(http.StatusServiceUnavailable); return true }
	for _, tt := range []struct {
		name   string
		fault  func(asked int, w http.ResponseWriter, r *http.Request) bool
		script string
		cause  reporting.Cause
	}{
		{"twice, then not", func(asked int, w http.ResponseWriter, r *http.Request) bool {
			return strings.Contains(r.URL.Path, "/request/") && asked <= 2 && fail(w)
		}, "await", reporting.Completed},
		{"for good", func(_ int, w http.ResponseWriter, r *http.Request) bool {
			return strings.Contains(r.URL.Path, "/request/") && fail(w)
		}, "await", reporting.ApplicationError},
		{"with nonsense", func(_ int, w http.ResponseWriter, r *http.Request) bool {
			if strings.Contains(r.URL.Path, "/request/") {
				fmt.Fprint(w, "<html>not what was asked</html>")
				return true
			}
			return false
		}, "await", reporting.ApplicationError},
		{"to answer an event", func(_ int, w http.ResponseWriter, r *http.Request) bool {
			return strings.Contains(r.URL.Path, "/event/treatment.done") && fail(w)
		}, "await", reporting.ApplicationError},
	} {
		t.Run(tt.name, func(t *testing.T) {
			asked := 0
			stand := &orstest.Server{}
			stand.Fault = func(w http.ResponseWriter, r *http.Request) bool {
				if strings.Contains(r.URL.Path, "/request/") {
					asked++
				}
				return tt.fault(asked, w, r)
			}
			r := orchestrated(t, stand, nil)
			r.pages.page("/a.vxml", `<form><block><return/></block></form>`)
			stand.Treatments = []orstest.Treatment{{Name: "a", Src: r.pages.server.URL + "/a.vxml"}}
			_, _ = r.call(t.Context(), tt.script)
			if record := r.record(1); record.End.Cause != tt.cause {
				t.Errorf("the call ended with %+v", record.End)
			}
			r.nothingLeft()
		})
	}
}

func TestOrchestratedCallerGoes(t *testing.T) {
	stand := &orstest.Server{}
	r := orchestrated(t, stand, nil)
	r.pages.page("/a.vxml", `<form><field name="key" type="digits?length=1"><property name="timeout" value="60s"/></field></form>`)
	stand.Treatments = []orstest.Treatment{{Name: "a", Src: r.pages.server.URL + "/a.vxml"}}
	if _, err := r.call(t.Context(), "wait 200ms; hangup"); err != nil {
		t.Fatal(err)
	}
	await(t, "the end to be told", func() bool { return len(stand.Events()) > 0 })
	if e := stand.Events(); len(e) != 1 || e[0].Name != "call.ended" || e[0].With.Get("cause") != "hang-up" {
		t.Errorf("%+v", e)
	}
}

// Without a server that starts a session, the call is refused before it is answered.
func TestNoOrchestrationServer(t *testing.T) {
	stand := &orstest.Server{Fault: func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(500); return true }}
	r := orchestrated(t, stand, nil)
	if _, err := r.call(t.Context(), "await"); err == nil || !strings.Contains(err.Error(), "500") {
		t.Errorf("%v", err)
	}
	if record := r.record(1); record.AnsweredAt != nil || !strings.Contains(record.End.Error, "orchestration") {
		t.Errorf("%+v", record.End)
	}
}

// The servers are reached across a network: HTTP and HTTPS, with redirects, from one
// namespace to another.
func TestOrchestrationAcrossNamespaces(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("namespaces need root")
	}
	lab, err := netlab.Build(t.Context(), fmt.Sprintf("o%d-", os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := lab.Close(); err != nil {
			t.Error(err)
		}
	}()
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("tls=%t", secure), func(t *testing.T) {
			stand := &orstest.Server{Treatments: []orstest.Treatment{{Name: "a", Src: "http://das/a.vxml"}}}
			listener, err := lab.Listen(lab.Nuance, "0.0.0.0:11200")
			if err != nil {
				t.Fatal(err)
			}
			server := httptest.NewUnstartedServer(stand)
			server.Listener.Close()
			server.Listener = listener
			stand.Fault = func(w http.ResponseWriter, r *http.Request) bool {
				if strings.HasSuffix(r.URL.Path, "/start") && r.URL.RawQuery == "" {
					http.Redirect(w, r, r.URL.Path+"?again", http.StatusTemporaryRedirect)
					return true
				}
				return false
			}
			transport := &http.Transport{}
			if secure {
				server.StartTLS()
				transport = server.Client().Transport.(*http.Transport).Clone()
				transport.TLSClientConfig.ServerName = "example.com"
			} else {
				server.Start()
			}
			defer server.Close()
			scheme, _, _ := strings.Cut(server.URL, ":")
			transport.DialContext = dialFrom(lab, lab.MCP, netlab.NuanceAddr)
			defer transport.CloseIdleConnections()
			c := ors.New(ors.Config{URLs: []string{scheme + "://ors.example:11200"}, Request: "treatment", Timeout: 10 * time.Second, Transport: transport})
			id, err := c.Start(t.Context(), "http://web/a.scxml", nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, body, err := c.Request(t.Context(), id, "treatment", nil); err != nil || !strings.Contains(string(body), "a.vxml") {
				t.Errorf("%s, %v", body, err)
			}
		})
	}
}

// dialFrom connects out of a namespace, whatever the name, to an address.
func dialFrom(lab *netlab.Lab, namespace string, to netip.Addr) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		at, err := netip.ParseAddrPort(net.JoinHostPort(to.String(), port))
		if err != nil {
			return nil, err
		}
		return lab.Dial(ctx, namespace, network, at)
	}
}
