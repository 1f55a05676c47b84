package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mcp/cmd/mcplab/caller"
	"mcp/control/node"
	"mcp/control/reporting"
)

// slow is a web server's recording whose second half comes when it is told to, or never.
type slow struct {
	more  chan struct{}
	gone  chan struct{} // the platform wants it no more
	asked atomic.Int32
}

// slow serves half a second at 400 Hz, and then one at 700.
func (p *pages) slow(path string) *slow {
	s := &slow{more: make(chan struct{}), gone: make(chan struct{}, 9)}
	p.handle(path, func(w http.ResponseWriter, q *http.Request) {
		s.asked.Add(1)
		w.Header().Set("Content-Type", "audio/basic")
		w.Header().Set("Cache-Control", "max-age=600")
		_, _ = w.Write(mulaw(caller.Hum(400, 500*time.Millisecond)))
		w.(http.Flusher).Flush()
		select {
		case <-s.more:
			_, _ = w.Write(mulaw(caller.Hum(700, 500*time.Millisecond)))
		case <-q.Context().Done():
			s.gone <- struct{}{}
		}
	})
	return s
}

// listen calls; once the script has listened, the second half comes.
func (s *slow) listen(r *rig, to, script string) *caller.Summary {
	steps, err := caller.ParseScript(script)
	if err != nil {
		r.t.Fatal(err)
	}
	tell := func(what, _ string) {
		if what == "heard the far end finish" && strings.HasPrefix(script, "listen") {
			close(s.more)
		}
	}
	summary, err := caller.NewPhone(r.agent, caller.Config{To: to, Quiet: 300 * time.Millisecond, Tell: tell}).Call(r.t.Context(), steps)
	if err != nil {
		r.t.Fatal(err)
	}
	return summary
}

// A recording is heard before its end has arrived, by whatever plays it; one that stands
// still ends as the service ends it; whom nobody hears any more is told, and only what is
// complete is kept.
func TestLongRecordingsAreHeardWhileTheyArrive(t *testing.T) {
	r := newRig(t, func(c *node.Config) { c.Fetch.Timeout = 1500 * time.Millisecond })
	r.pages.tunes()
	page := func(audio string) string {
		path := strings.ReplaceAll(audio, "/", "") + ".vxml"
		r.pages.handle("/"+path, func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `<vxml version="2.1" xmlns="http://www.w3.org/2001/vxml"><property name="fetchtimeout" value="1500ms"/>
<catch event="error.badfetch.timeout"><exit expr="'late'"/></catch>
<form><field name="key" type="digits?length=1"><prompt timeout="1s"><audio src="%s"/></prompt><noinput><exit expr="'heard'"/></noinput><filled><prompt><audio src="/700/300ms"/></prompt><exit/></filled></field></form></vxml>`, audio)
		})
		return r.uri("dialog", "voicexml="+escape(r.pages.server.URL+"/"+path))
	}
	annc := func(audio string) string { return r.uri("annc", "play="+escape(r.pages.server.URL+audio)) }
	for i, service := range []struct {
		name  string
		to    func(audio string) string
		late  reporting.Cause // of a recording that stands still
		exits string
	}{
		{"annc", annc, reporting.ApplicationError, ""},
		{"voicexml", page, reporting.Completed, "late"},
	} {
		t.Run(service.name, func(t *testing.T) {
			r.t = t
			audio := r.pages.slow("/" + service.name + "/whole")
			summary := audio.listen(r, service.to("/"+service.name+"/whole"), "listen 100ms; await")
			if got := heard(summary); !slices.Equal(got, []float64{400, 700}) {
				t.Errorf("heard %v: %v", got, tones(summary))
			}
			if faults := summary.Received.Faults(); len(faults) > 0 {
				t.Error(faults)
			}
			audio.more = make(chan struct{})
			summary = audio.listen(r, service.to("/"+service.name+"/whole"), "await")
			if got := heard(summary); !slices.Equal(got, []float64{400, 700}) || audio.asked.Load() != 1 {
				t.Errorf("again: heard %v, asked %d times", got, audio.asked.Load())
			}

			audio = r.pages.slow("/" + service.name + "/half")
			summary = audio.listen(r, service.to("/"+service.name+"/half"), "await")
			if got := heard(summary); !slices.Equal(got, []float64{400}) {
				t.Errorf("of half: heard %v", got)
			}
			rec := r.record(4*i + 3)
			if rec.End.Cause != service.late || service.exits != "" && rec.Dialogue.Exit["expr"] != service.exits {
				t.Errorf("of half: %+v, %+v", rec.End, rec.Dialogue)
			}
			<-audio.gone
			audio.listen(r, service.to("/"+service.name+"/half"), "hear; hangup")
			<-audio.gone
			if n := audio.asked.Load(); n != 2 {
				t.Errorf("half of it was asked for %d times", n)
			}
		})
	}
	t.Run("barge-in", func(t *testing.T) {
		r.t = t
		audio := r.pages.slow("/barged")
		summary := audio.listen(r, page("/barged"), "hear; dtmf 5; await")
		<-audio.gone
		if got := heard(summary); !slices.Equal(got, []float64{400, 700}) {
			t.Errorf("heard %v: %v", got, tones(summary))
		}
	})
	r.t = t
	r.nothingLeft()
}
