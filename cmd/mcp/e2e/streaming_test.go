package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
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

// listen calls; once the script has listened, the second half comes. It may be called
// from any goroutine.
func (s *slow) listen(r *rig, to, script string) *caller.Summary {
	steps, err := caller.ParseScript(script)
	if err != nil {
		panic(err)
	}
	tell := func(what, _ string) {
		if what == "heard the far end finish" && strings.HasPrefix(script, "listen") {
			close(s.more)
		}
	}
	summary, err := caller.NewPhone(r.agent, caller.Config{To: to, Quiet: 300 * time.Millisecond, Tell: tell}).Call(r.t.Context(), steps)
	if err != nil {
		r.t.Errorf("%s: %v", to, err)
		return &caller.Summary{Audio: &caller.Recording{}}
	}
	return summary
}

// streaming is a service that plays a recording while it arrives.
type streaming struct {
	*rig
	name  string
	to    func(audio string) string
	late  reporting.Cause // of a recording that stands still
	exits string
}

// whole is heard while it arrives, and is kept.
func (s streaming) whole(t testing.TB, turn int) {
	path := fmt.Sprintf("/%s/whole%d", s.name, turn)
	audio := s.pages.slow(path)
	summary := audio.listen(s.rig, s.to(path), "listen 100ms; await")
	if got := heard(summary); !slices.Equal(got, []float64{400, 700}) {
		t.Errorf("%s: heard %v: %v", s.name, got, tones(summary))
	}
	if faults := summary.Received.Faults(); len(faults) > 0 {
		t.Errorf("%s: %v", s.name, faults)
	}
	summary = audio.listen(s.rig, s.to(path), "await")
	if got := heard(summary); !slices.Equal(got, []float64{400, 700}) || audio.asked.Load() != 1 {
		t.Errorf("%s, again: heard %v, asked %d times", s.name, got, audio.asked.Load())
	}
}

// half stands still. The call ends as the service ends it, and nothing is kept.
func (s streaming) half(t testing.TB, turn int) {
	path := fmt.Sprintf("/%s/half%d", s.name, turn)
	audio := s.pages.slow(path)
	summary := audio.listen(s.rig, s.to(path), "await")
	if got := heard(summary); !slices.Equal(got, []float64{400}) {
		t.Errorf("%s, of half: heard %v", s.name, got)
	}
	<-audio.gone
	audio.listen(s.rig, s.to(path), "hear; hangup")
	<-audio.gone
	if n := audio.asked.Load(); n != 2 {
		t.Errorf("%s: half of it was asked for %d times", s.name, n)
	}
	for rec := range s.eventually(summary.CallID) {
		if rec.End.Cause != s.late || s.exits != "" && rec.Dialogue.Exit["expr"] != s.exits {
			t.Errorf("%s, of half: %+v, %+v", s.name, rec.End, rec.Dialogue)
		}
	}
}

// eventually is the record of a call by its Call-ID, once it is there.
func (r *rig) eventually(callID string) func(func(*reporting.Record) bool) {
	return func(yield func(*reporting.Record) bool) {
		for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
			for _, rec := range r.records() {
				if rec.SIPCallID == callID {
					yield(rec)
					return
				}
			}
		}
		r.t.Errorf("no record of call %s", callID)
	}
}

// bargedIn is stopped by a key.
func (s streaming) bargedIn(t testing.TB, turn int) {
	path := fmt.Sprintf("/barged%d", turn)
	audio := s.pages.slow(path)
	summary := audio.listen(s.rig, s.to(path), "hear; dtmf 5; await")
	<-audio.gone
	if got := heard(summary); !slices.Equal(got, []float64{400, 700}) {
		t.Errorf("barged in: heard %v: %v", got, tones(summary))
	}
}

// A recording is heard before its end has arrived, by whatever plays it; one that stands
// still ends as the service ends it; whom nobody hears any more is told, and only what is
// complete is kept.
func TestLongRecordingsAreHeardWhileTheyArrive(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *node.Config) { c.Fetch.Timeout = 1500 * time.Millisecond })
	r.pages.tunes()
	machine := watchStandstill(t)
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
	pages := streaming{r, "voicexml", page, reporting.Completed, "late"}
	announcements := streaming{r, "annc", annc, reporting.ApplicationError, ""}
	var all sync.WaitGroup
	for _, part := range []func(testing.TB, int){announcements.whole, announcements.half, pages.whole, pages.half, pages.bargedIn} {
		all.Go(func() { machine.steadily(t, part) })
	}
	all.Wait()
	r.nothingLeft()
}

// The same by MSML, to a connection and to a conference; a client moves about in what has
// arrived, and ends what has not.
func TestMSMLPlaysRecordingsWhileTheyArrive(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *node.Config) { c.Fetch.Timeout = 1500 * time.Millisecond })
	s, alone, member := r.steer(t), r.participate(t, "hear; await"), r.participate(t, "hear; await")
	play := func(target, name, path string) {
		if result := s.ask(`<dialogstart target="` + target + `" name="` + name + `"><play><audio uri="` + r.pages.server.URL + path + `"/></play>
			<exit namelist="play.end play.amt"/></dialogstart>`); result.Response != 200 {
			t.Fatalf("%+v", result)
		}
	}
	if result := s.ask(`<createconference name="room"/><join id1="` + member.id + `" id2="conf:room"/>`); result.Response != 200 {
		t.Fatalf("%+v", result)
	}
	whole, half := r.pages.slow("/whole"), r.pages.slow("/half")
	play(alone.id, "whole", "/whole")
	play("conf:room", "whole", "/whole")
	<-alone.hears
	<-member.hears
	close(whole.more)
	for _, id := range []string{alone.id, "conf:room"} {
		exit := s.event("msml.dialog.exit", id+"/dialog:whole")
		if exit.value("play.end") != "play.complete" || exit.value("play.amt") != "1000ms" {
			t.Errorf("%s: %+v", id, exit)
		}
	}
	play(alone.id, "late", "/half")
	if exit := s.event("msml.dialog.exit", alone.id+"/dialog:late"); exit.value("dialog.exit.status") != "423" {
		t.Errorf("of half: %+v", exit)
	}
	<-half.gone
	play("conf:room", "ended", "/half")
	s.ask(`<dialogend id="conf:room/dialog:ended"/>`)
	if exit := s.event("msml.dialog.exit", "conf:room/dialog:ended"); exit.value("play.end") != "terminate" {
		t.Errorf("of half: %+v", exit)
	}
	<-half.gone
	for _, p := range []*participant{alone, member} {
		s.ask(`<dialogstart target="` + p.id + `"><disconnect/></dialogstart>`)
		<-p.done
	}
	if got := heard(alone.summary); !slices.Equal(got, []float64{400, 700, 400}) {
		t.Errorf("on the connection: heard %v: %v", got, tones(alone.summary))
	}
	if got := heard(member.summary); len(got) < 2 || got[0] != 400 || got[1] != 700 {
		t.Errorf("in the conference: heard %v: %v", got, tones(member.summary))
	}
}
