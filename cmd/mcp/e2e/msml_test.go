package e2e

import (
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mcp/cmd/mcplab/caller"
	"mcp/control/media/audiofile"
	"mcp/control/node"
	"mcp/control/reporting"
	"mcp/control/sip"
	"mcp/control/sip/header"
	"mcp/control/sip/siptest"
)

// steerer is a control agent: a call of its own, byte by byte, over which it sends
// MSML and takes events.
type steerer struct {
	t      *testing.T
	call   *siptest.Call
	id     string // of its connection
	events []msmlEvent
	bodies map[string]header.Part // that came with events, by Content-ID
}

type msmlEvent struct {
	Name   string   `xml:"name,attr"`
	ID     string   `xml:"id,attr"`
	Names  []string `xml:"name"`
	Values []string `xml:"value"`
}

func (e msmlEvent) value(name string) string {
	if i := slices.Index(e.Names, name); i >= 0 {
		return e.Values[i]
	}
	return ""
}

type msmlResult struct {
	Response    int      `xml:"response,attr"`
	Mark        string   `xml:"mark,attr"`
	Description string   `xml:"description"`
	Conferences []string `xml:"confid"`
	Dialogs     []string `xml:"dialogid"`
	Connections []string `xml:"urn:mcp:msml connid"`
}

type msmlDocument struct {
	Version string      `xml:"version,attr"`
	Event   *msmlEvent  `xml:"event"`
	Result  *msmlResult `xml:"result"`
}

const steererSDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n"

// steer calls the platform's MSML service.
func (r *rig) steer(t *testing.T) *steerer {
	s := &steerer{t: t, bodies: map[string]header.Part{}}
	peer := siptest.Dial(t, "tcp", strings.TrimPrefix(r.sip, "tcp:"))
	s.call = siptest.NewCall(peer, r.uri("msml=1", ""))
	peer.Send(s.call.Request("INVITE").WithSDP(steererSDP))
	ok := peer.Expect("SIP/2.0 200")
	s.call.Establish(ok)
	peer.Send(s.call.Ack(ok))
	s.id = "conn:" + siptest.Param(ok.Get("To"), "tag")
	return s
}

// ask sends operations and returns what became of them. Events that come meanwhile
// are kept.
func (s *steerer) ask(ops string) msmlResult {
	s.t.Helper()
	m := s.call.Request("INFO").With("Content-Type", "application/msml+xml")
	m.Body = `<?xml version="1.0" encoding="UTF-8"?><msml version="1.1">` + ops + `</msml>`
	s.call.Peer.Send(m)
	for {
		in := s.call.Peer.Next()
		if in.Status() == 200 {
			return *s.document(in.Body).Result
		}
		s.take(in)
	}
}

func (s *steerer) document(body string) (d msmlDocument) {
	s.t.Helper()
	if err := xml.Unmarshal([]byte(body), &d); err != nil || d.Version != "1.1" {
		s.t.Fatalf("%v in %q", err, body)
	}
	return d
}

func (s *steerer) take(in siptest.Message) {
	s.t.Helper()
	parts, err := header.Parts(in.Get("Content-Type"), "", []byte(in.Body))
	if !strings.HasPrefix(in.Start, "INFO ") || err != nil || !parts[0].Is("application/msml+xml") {
		s.t.Fatalf("unexpected: %v\n%s", err, in)
	}
	s.call.Peer.Send(siptest.Reply(in, 200, "OK"))
	s.events = append(s.events, *s.document(string(parts[0].Body)).Event)
	for _, p := range parts[1:] {
		s.bodies[p.ID] = p
	}
}

// event waits for an event of an object.
func (s *steerer) event(name, id string) msmlEvent {
	s.t.Helper()
	for {
		for i, e := range s.events {
			if e.Name == name && e.ID == id {
				s.events = slices.Delete(s.events, i, i+1)
				return e
			}
		}
		s.take(s.call.Peer.Next())
	}
}

func (s *steerer) hangUp() {
	s.call.Peer.Send(s.call.Request("BYE"))
	s.call.Peer.Expect("SIP/2.0 200", "INFO")
}

// participant is a telephone at the MSML service whose media somebody else steers.
type participant struct {
	t       *testing.T
	id      string
	done    chan struct{}
	summary *caller.Summary
	err     error
}

// participate calls with a script, and returns once the call is up.
func (r *rig) participate(t *testing.T, script string) *participant {
	t.Helper()
	return r.participateWith(t, script, hum)
}

func (r *rig) participateWith(t *testing.T, script string, voice caller.Voice) *participant {
	t.Helper()
	return r.participateAs(t, script, caller.Config{Voice: voice})
}

// participateAs lets the telephone behave as it is told.
func (r *rig) participateAs(t *testing.T, script string, c caller.Config) *participant {
	t.Helper()
	p := &participant{t: t, done: make(chan struct{})}
	steps, err := caller.ParseScript(script)
	if err != nil {
		t.Fatal(err)
	}
	up := make(chan string, 1)
	c.To, c.Quiet = r.uri("msml", ""), 300*time.Millisecond
	c.Up = func(d *sip.Dialog) { up <- "conn:" + d.RemoteTag() }
	phone := caller.NewPhone(r.agent, c)
	go func() {
		defer close(p.done)
		p.summary, p.err = phone.Call(context.Background(), steps)
	}()
	select {
	case p.id = <-up:
	case <-p.done:
		t.Fatal(p.err)
	}
	return p
}

// end waits for the end of the script and tells what was heard.
func (p *participant) end() []float64 {
	p.t.Helper()
	<-p.done
	if p.err != nil {
		p.t.Error(p.err)
	}
	return heard(p.summary)
}

func TestMSMLAnnouncement(t *testing.T) {
	r := newRig(t, nil)
	r.pages.tunes()
	web := r.pages.server.URL
	s, p := r.steer(t), r.participate(t, "wait 2s")
	result := s.ask(`<dialogstart target="` + p.id + `" name="12345"><play>
			<audio uri="` + web + `/400/300ms"/><audio uri="` + web + `/700/300ms" iterate="2"/><var type="silence" value="100ms"/>
		</play><send target="source" event="done" namelist="play.amt play.end"/></dialogstart>`)
	if result.Response != 200 {
		t.Fatalf("%+v", result)
	}
	done := s.event("done", p.id+"/dialog:12345")
	if done.value("play.end") != "play.complete" || done.value("play.amt") != "1000ms" {
		t.Errorf("%+v", done)
	}
	s.event("msml.dialog.exit", p.id+"/dialog:12345")
	if got := p.end(); !slices.Equal(got, []float64{400, 700}) {
		t.Errorf("heard %v", got)
	}
	s.hangUp()
	r.nothingLeft()
}

// TestMSMLPlayAndCollect runs both forms of RFC 5707 section 13.5.
func TestMSMLPlayAndCollect(t *testing.T) {
	composite := `<collect fdt="10s" idt="16s"><play barge="true"><audio uri="%s"/></play>
		<pattern digits="xxxx#"><send target="source" event="done" namelist="dtmf.digits dtmf.end"/></pattern>
		<noinput><send target="source" event="done" namelist="dtmf.end"/></noinput>
		<nomatch><send target="source" event="done" namelist="dtmf.end"/></nomatch></collect>`
	group := `<group topology="parallel">
		<play><audio uri="%s"/><playexit><send target="dtmf" event="starttimer"/></playexit></play>
		<dtmf fdt="500ms" idt="16s"><pattern digits="xxxx#"><send target="group" event="terminate"/></pattern>
			<detect><send target="play" event="terminate"/></detect>
			<noinput><send target="group" event="terminate"/></noinput>
			<nomatch><send target="group" event="terminate"/></nomatch></dtmf>
		<groupexit><send target="source" event="done" namelist="dtmf.digits dtmf.end"/></groupexit></group>`
	for _, tt := range []struct {
		name, dialog, audio, script string
		end, digits                 string
	}{
		{"composite", composite, "/400/10s", "hear; dtmf 1234#; wait 300ms", "dtmf.match", "1234#"},
		{"composite, other keys", composite, "/400/10s", "hear; dtmf 12#; wait 300ms", "dtmf.nomatch", ""},
		{"group", group, "/400/10s", "hear; dtmf 1234#; wait 300ms", "dtmf.match", "1234#"},
		{"group, no key", group, "/400/300ms", "hear; wait 1500ms", "dtmf.noinput", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, nil)
			r.pages.tunes()
			s := r.steer(t)
			p := r.participate(t, tt.script)
			result := s.ask(`<dialogstart target="` + p.id + `" name="d">` + fmt.Sprintf(tt.dialog, r.pages.server.URL+tt.audio) + `</dialogstart>`)
			if result.Response != 200 {
				t.Fatalf("%+v", result)
			}
			done := s.event("done", p.id+"/dialog:d")
			if done.value("dtmf.end") != tt.end || tt.digits != "" && done.value("dtmf.digits") != tt.digits {
				t.Errorf("%+v", done)
			}
			s.event("msml.dialog.exit", p.id+"/dialog:d")
			p.end()
			if got := tones(p.summary); len(got) == 0 || got[0].Duration > 5*time.Second {
				t.Errorf("heard %v", got)
			}
			s.hangUp()
			r.nothingLeft()
		})
	}
}

// TestMSMLVoiceMailRetrieval is RFC 5707 section 13.2, by keys.
func TestMSMLVoiceMailRetrieval(t *testing.T) {
	r := newRig(t, nil)
	r.pages.tunes()
	s := r.steer(t)
	p := r.participate(t, "hear; dtmf 5; wait 600ms; dtmf 5; wait 300ms; dtmf 8; wait 200ms; dtmf #; wait 300ms")
	result := s.ask(`<dialogstart target="` + p.id + `" name="mail"><group topology="parallel">
		<play><audio uri="` + r.pages.server.URL + `/700/10s"/><playexit><send target="group" event="terminate"/></playexit></play>
		<dtmf iterate="forever">
			<pattern digits="5"><send target="play" event="toggle-state"/></pattern>
			<pattern digits="6"><send target="play" event="forward"/></pattern>
			<pattern digits="8"><send target="play" event="restart"/></pattern>
			<pattern digits="#"><send target="play" event="terminate"/></pattern>
		</dtmf></group><exit namelist="play.amt play.end"/></dialogstart>`)
	if result.Response != 200 {
		t.Fatalf("%+v", result)
	}
	exit := s.event("msml.dialog.exit", p.id+"/dialog:mail")
	if exit.value("play.end") != "terminate" {
		t.Errorf("%+v", exit)
	}
	p.end()
	if got := tones(p.summary); len(got) < 2 || got[1].Start-got[0].Start-got[0].Duration < 300*time.Millisecond {
		t.Errorf("no pause is heard: %v", got)
	}
	s.hangUp()
	r.nothingLeft()
}

// recordings lists the finished recordings with what they hold.
func (r *rig) recordings(n int) (tones [][]float64, paths []string) {
	r.t.Helper()
	await(r.t, "recordings", func() bool {
		paths, _ = filepath.Glob(filepath.Join(r.cfg.Upload.Folder, "*.wav"))
		told, _ := filepath.Glob(filepath.Join(r.cfg.Upload.Folder, "*.wav.json"))
		return len(told) >= n
	})
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			r.t.Fatal(err)
		}
		pcm, err := audiofile.Decode("audio/wav", data)
		if err != nil {
			r.t.Fatal(err)
		}
		var hz []float64
		for _, tone := range caller.Tones(pcm, pitches, 60*time.Millisecond, 100*time.Millisecond) {
			hz = append(hz, tone.Hz)
		}
		tones = append(tones, hz)
	}
	return tones, paths
}

// TestMSMLPlayAndRecord is the composite of RFC 5707 section 13.3.
func TestMSMLPlayAndRecord(t *testing.T) {
	for _, tt := range []struct {
		name, script, end string
		heard             []float64
	}{
		{"ended by a key", "listen; say hum 1000 400ms; dtmf #; wait 300ms", "record.complete.termkey", []float64{1000}},
		{"ended by silence", "listen; say hum 1300 400ms; wait 2s", "record.complete.postspeech", []float64{1300}},
		{"nothing said", "listen; wait 2s", "record.failed.prespeech", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, nil)
			r.pages.tunes()
			s, p := r.steer(t), r.participate(t, tt.script)
			s.ask(`<dialogstart target="` + p.id + `" name="r">
				<record prespeech="1.5s" postspeech="600ms" maxtime="60s" termkey="#" dest="file://record.wav" format="audio/wav;codecs=pcm">
				<play barge="true"><audio uri="` + r.pages.server.URL + `/400/300ms"/></play>
				<recordexit><send target="source" event="done" namelist="record.len record.end record.recordid"/></recordexit>
				</record></dialogstart>`)
			done := s.event("done", p.id+"/dialog:r")
			if done.value("record.end") != tt.end || done.value("record.recordid") != "file://record.wav" {
				t.Errorf("%+v", done)
			}
			s.event("msml.dialog.exit", p.id+"/dialog:r")
			p.end()
			if tt.heard != nil {
				got, paths := r.recordings(1)
				if !slices.Equal(got[0], tt.heard) {
					t.Errorf("recorded %v", got)
				}
				r.wantRecorded(paths[0])
			}
			s.hangUp()
			r.nothingLeft()
		})
	}
}

// wantRecorded holds the first call's record to one recording, a file.
func (r *rig) wantRecorded(file string) reporting.Recording {
	r.t.Helper()
	rec := r.record(1)
	if len(rec.Recordings) != 1 || rec.Recordings[0].URI != "file://"+file || rec.Recordings[0].Duration < 300 {
		r.t.Fatalf("recordings %+v", rec.Recordings)
	}
	return rec.Recordings[0]
}

func TestMSMLRecordingGoesToAWebServer(t *testing.T) {
	r := newRig(t, nil)
	put := make(chan []byte, 1)
	r.pages.handle("/up.wav", func(_ http.ResponseWriter, q *http.Request) {
		body, err := io.ReadAll(q.Body)
		if err != nil || q.Method != http.MethodPut {
			t.Errorf("%s: %v", q.Method, err)
		}
		put <- body
	})
	s, p := r.steer(t), r.participate(t, "say hum 700 600ms; wait 500ms")
	s.ask(`<dialogstart target="` + p.id + `" name="r"><record maxtime="800ms" dest="` + r.pages.server.URL + `/up.wav" format="audio/wav;codecs=mulaw"/>
		<exit namelist="record.end"/></dialogstart>`)
	if exit := s.event("msml.dialog.exit", p.id+"/dialog:r"); exit.value("record.end") != "record.complete.maxlength" {
		t.Errorf("%+v", exit)
	}
	pcm, err := audiofile.Decode("audio/wav", <-put)
	if got := caller.Tones(pcm, pitches, time.Second, 100*time.Millisecond); err != nil || len(got) != 1 || got[0].Hz != 700 {
		t.Errorf("%v, %v", got, err)
	}
	p.end()
	s.hangUp()
	r.nothingLeft()
}

func TestMSMLGeneratorsAndDetector(t *testing.T) {
	r := newRig(t, nil)
	s, p := r.steer(t), r.participate(t, "listen; wait 2s; say hum 1600 400ms; wait 1500ms")
	s.ask(`<dialogstart target="` + p.id + `" name="g">
		<tonegen iterate="2"><tone duration="300ms"><tone1 freq="400" atten="-10"/><silence duration="100ms"/></tone></tonegen>
		<dtmfgen digits="12"/>
		<vad><voice len="100ms"><send target="source" event="spoken"/></voice><tsilence len="200ms"><send target="source" event="quiet"/></tsilence></vad>
		<exit namelist="tonegen.end dtmfgen.end vad.end"/></dialogstart>`)
	id := p.id + "/dialog:g"
	s.event("spoken", id)
	s.event("quiet", id)
	exit := s.event("msml.dialog.exit", id)
	if exit.value("tonegen.end") != "tonegen.complete" || exit.value("dtmfgen.end") != "dtmfgen.complete" || exit.value("vad.end") != "vad.tsilence" {
		t.Errorf("%+v", exit)
	}
	if got := p.end(); !slices.Equal(got, []float64{400, 400}) {
		t.Errorf("heard %v", got)
	}
	if p.summary.Received.Events == 0 {
		t.Error("no keys were pressed")
	}
	s.hangUp()
	r.nothingLeft()
}

// TestMSMLFaxDetection listens for fax machines, alone and in a group, and ends it
// (RFC 5707 section 9.11).
func TestMSMLFaxDetection(t *testing.T) {
	r := newRig(t, nil)
	s := r.steer(t)
	calling := r.participate(t, "wait 100ms; say hum 1100 500ms; await")
	s.ask(`<dialogstart target="` + calling.id + `" name="fax"><group topology="parallel">
		<faxdetect id="cng"><faxdetectexit><send target="group" event="terminate"/></faxdetectexit></faxdetect><dtmf fdt="30s"><noinput/></dtmf>
		</group><disconnect namelist="faxdetect.tone faxdetect.end"/></dialogstart>`)
	called := r.participate(t, "wait 100ms; say hum 2100 500ms; await")
	s.ask(`<dialogstart target="` + called.id + `" name="fax"><faxdetect><faxdetectexit>
		<send target="source" event="heard" namelist="faxdetect.tone"/></faxdetectexit></faxdetect><disconnect/></dialogstart>`)
	person := r.participate(t, "wait 100ms; say hum 700 500ms; wait 600ms")
	s.ask(`<dialogstart target="` + person.id + `" name="fax"><faxdetect/><exit namelist="faxdetect.tone faxdetect.end"/></dialogstart>`)
	if exit := s.event("msml.dialog.exit", calling.id+"/dialog:fax"); exit.value("faxdetect.tone") != "CNG" || exit.value("faxdetect.end") != "faxdetect.complete" {
		t.Errorf("%+v", exit)
	}
	if heard := s.event("heard", called.id+"/dialog:fax"); heard.value("faxdetect.tone") != "CED" {
		t.Errorf("%+v", heard)
	}
	s.ask(`<dialogend id="` + person.id + `/dialog:fax"/>`)
	if exit := s.event("msml.dialog.exit", person.id+"/dialog:fax"); exit.value("faxdetect.tone") != "" || exit.value("faxdetect.end") != "faxdetect.terminated" {
		t.Errorf("%+v", exit)
	}
	for _, p := range []*participant{calling, called, person} {
		<-p.done // hung up before it has said all, some
	}
	s.hangUp()
	r.nothingLeft()
}

// TestMSMLConference mixes three, steers one, and plays to all.
func TestMSMLConference(t *testing.T) {
	r := newRig(t, nil)
	r.pages.tunes()
	s := r.steer(t)
	if result := s.ask(`<createconference name="example" mark="1"><audiomix><n-loudest n="3"/></audiomix></createconference>`); result.Response != 200 {
		t.Fatalf("%+v", result)
	}
	a, b := r.participate(t, "wait 500ms; say hum 400 500ms; wait 1500ms"), r.participate(t, "wait 10s")
	result := s.ask(`<join id1="` + a.id + `" id2="conf:example"/><join id1="` + b.id + `" id2="conf:example"><stream media="audio" dir="to-id1"/></join>`)
	if result.Response != 200 {
		t.Fatalf("%+v", result)
	}
	a.end()
	if result := s.ask(`<dialogstart target="conf:example" name="tone"><play><audio uri="` + r.pages.server.URL + `/1000/300ms"/></play></dialogstart>`); result.Response != 200 {
		t.Fatalf("%+v", result)
	}
	s.event("msml.dialog.exit", "conf:example/dialog:tone")
	if got := b.end(); !slices.Equal(got, []float64{400, 1000}) {
		t.Errorf("b heard %v", got)
	}
	s.event("msml.conf.nomedia", "conf:example")
	s.hangUp()
	r.nothingLeft()
}

func TestMSMLJoinsTwoConnections(t *testing.T) {
	r := newRig(t, nil)
	s := r.steer(t)
	a, b := r.participate(t, "wait 300ms; say hum 400 400ms; wait 1s"), r.participate(t, "wait 300ms; say hum 700 400ms; wait 1s")
	if result := s.ask(`<join id1="` + a.id + `" id2="` + b.id + `"/>`); result.Response != 200 {
		t.Fatalf("%+v", result)
	}
	if got := a.end(); !slices.Equal(got, []float64{700}) {
		t.Errorf("a heard %v", got)
	}
	if got := b.end(); !slices.Equal(got, []float64{400}) {
		t.Errorf("b heard %v", got)
	}
	s.hangUp()
	r.nothingLeft()
}

// TestMSMLCallRecording steers a recording with gvp:recorder. A pause, of a connection or
// of the conference it is in, is one of all that records the call.
func TestMSMLCallRecording(t *testing.T) {
	r := newRig(t, func(c *node.Config) {
		c.Recording.Calls, c.Recording.Type = "mixed", "audio/wav;codec=pcm"
	})
	s := r.steer(t)
	p := r.participate(t, "wait 300ms; say hum 400 300ms; wait 700ms; say hum 700 300ms; wait 700ms; say hum 1000 300ms; wait 700ms; say hum 700 300ms; wait 700ms; say hum 400 300ms; wait 500ms")
	recorder := func(object, state string, want int) {
		t.Helper()
		result := s.ask(`<modifyconference id="` + object + `" xmlns:gvp="http://www.genesyslab.com/msml"><gvp:recorder state="` + state + `" type="audio/wav;codec=pcm">
			<gvp:params><gvp:param name="id" value="rec-` + object[:4] + `"/><gvp:param name="agent" value="5001"/></gvp:params></gvp:recorder></modifyconference>`)
		if result.Response != want {
			t.Fatalf("%s: %+v", state, result)
		}
	}
	recorder(p.id, "stop", 430)
	recorder(p.id, "start", 200)
	s.hear(p, 400)
	recorder(p.id, "pause", 200)
	s.hear(p, 700)
	recorder(p.id, "resume", 200)
	if result := s.ask(`<createconference name="c"/><join id1="` + p.id + `" id2="conf:c"/>`); result.Response != 200 {
		t.Fatalf("%+v", result)
	}
	recorder("conf:c", "pause", 430)
	recorder("conf:c", "start", 200)
	s.hear(p, 1000)
	recorder("conf:c", "pause", 200)
	s.hear(p, 700)
	recorder("conf:c", "stop", 200) // which is the end of the pause
	<-p.done
	s.event("msml.conf.nomedia", "conf:c")
	got, paths := r.recordings(3)
	for i, path := range paths {
		want := []float64{400, 1000, 400}
		switch {
		case strings.HasSuffix(path, "rec-conf.wav"):
			want = []float64{1000}
		case len(got[i]) == 0: // of the client's call
			continue
		}
		if !slices.Equal(got[i], want) {
			t.Errorf("recorded %v in %s, want %v", got[i], path, want)
		}
	}
	path := filepath.Join(r.cfg.Upload.Folder, "rec-conn.wav")
	told, err := os.ReadFile(path + ".json")
	if err != nil || !strings.Contains(string(told), `"agent": "5001"`) {
		t.Errorf("metadata %s, %v", told, err)
	}
	if rec := r.record(1); !slices.ContainsFunc(rec.Recordings, func(one reporting.Recording) bool { return one.ID == "rec-conn" && one.URI == "file://"+path }) {
		t.Errorf("recordings %+v", rec.Recordings)
	}
	s.hangUp()
	r.nothingLeft()
}

// hear waits until a participant has said its first tone.
func (s *steerer) hear(p *participant, _ float64) {
	s.t.Helper()
	s.ask(`<dialogstart target="` + p.id + `" name="ear"><vad><tsilence len="60ms"/></vad></dialogstart>`)
	s.event("msml.dialog.exit", p.id+"/dialog:ear")
}

func TestMSMLRunsPages(t *testing.T) {
	r := newRig(t, nil)
	r.pages.tunes()
	r.pages.page("/page.vxml", `<form><field name="pin"><prompt><audio src="/400/300ms"/></prompt>`+dtmfGrammar+`<filled><exit namelist="pin"/></filled></field></form>`)
	s, p := r.steer(t), r.participate(t, "listen; dtmf 2749; wait 500ms")
	id := p.id + "/dialog:v"
	s.ask(`<dialogstart target="` + p.id + `" name="v" type="application/vxml+xml" src="` + r.pages.server.URL + `/page.vxml"/>`)
	if exit := s.event("msml.dialog.exit", id); exit.value("pin") != "2749" {
		t.Errorf("%+v", exit)
	}
	s.ask(`<dialogstart target="` + p.id + `" name="v" type="application/vxml+xml" src="` + r.pages.server.URL + `/none.vxml"/>`)
	if exit := s.event("msml.dialog.exit", id); exit.value("dialog.exit.status") != "423" {
		t.Errorf("%+v", exit)
	}
	p.end()
	s.hangUp()
	r.nothingLeft()
}

// TestMSMLRefusals holds the codes of RFC 5707 section 11.
func TestMSMLRefusals(t *testing.T) {
	r := newRig(t, nil)
	s := r.steer(t)
	play := `<play><audio uri="http://127.0.0.1:1/none.wav"/></play>`
	for _, tt := range []struct {
		name, ops string
		code      int
		mark      string
	}{
		{"unknown element", `<dance/>`, 401, ""},
		{"video", `<createconference name="v"><videolayout/></createconference>`, 402, ""},
		{"receiving faxes", `<dialogstart target="` + s.id + `"><faxrcv/></dialogstart>`, 402, ""},
		{"fax", `<dialogstart target="` + s.id + `"><faxsend/></dialogstart>`, 402, ""},
		{"no content", `<dialogstart target="` + s.id + `"/>`, 403, ""},
		{"element out of place", `<dialogstart target="` + s.id + `"><join id1="a" id2="b"/></dialogstart>`, 404, ""},
		{"unknown attribute", `<dialogstart target="` + s.id + `" colour="red">` + play + `</dialogstart>`, 406, ""},
		{"long digits", `<dialogstart target="` + s.id + `"><collect ldd="1s"><pattern digits="1"/></collect></dialogstart>`, 407, ""},
		{"missing attribute", `<join id1="conn:a"/>`, 408, ""},
		{"wrong value", `<createconference deletewhen="later"/>`, 410, ""},
		{"wrong pattern", `<dialogstart target="` + s.id + `"><collect><pattern digits="y"/></collect></dialogstart>`, 410, ""},
		{"unknown language", `<dialogstart target="` + s.id + `" type="text/x-perl" src="http://web/a"/>`, 420, ""},
		{"source and content", `<dialogstart target="` + s.id + `" src="http://web/a">` + play + `</dialogstart>`, 422, ""},
		{"no such connection", `<dialogstart target="conn:none">` + play + `</dialogstart>`, 430, ""},
		{"no such conference", `<destroyconference id="conf:none"/>`, 430, ""},
		{"no such dialog", `<dialogend id="` + s.id + `/dialog:none"/>`, 430, ""},
		{"conference twice", `<createconference name="c" mark="one"/><createconference name="c" mark="two"/>`, 432, "one"},
		{"with itself", `<join id1="` + s.id + `" id2="` + s.id + `"/>`, 440, ""},
		{"dialog twice", `<dialogstart target="` + s.id + `" name="d" mark="m"><tonegen><tone duration="0"><tone1 freq="400" atten="0"/></tone></tonegen></dialogstart>
			<dialogstart target="` + s.id + `" name="d"><tonegen><silence duration="1s"/></tonegen></dialogstart>`, 431, "m"},
		{"not well-formed", `<play>`, 400, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			result := s.ask(tt.ops)
			if result.Response != tt.code || result.Mark != tt.mark || result.Description == "" {
				t.Errorf("got %+v, want %d", result, tt.code)
			}
		})
	}
	if result := s.ask(`<dialogend id="` + s.id + `/dialog:d"/>`); result.Response != 200 {
		t.Errorf("%+v", result)
	}
	s.event("msml.dialog.exit", s.id+"/dialog:d")
	// What fails while it is performed is told by an event.
	result := s.ask(`<dialogstart target="` + s.id + `">` + play + `</dialogstart>`)
	if len(result.Dialogs) != 1 {
		t.Fatalf("%+v", result)
	}
	if exit := s.event("msml.dialog.exit", result.Dialogs[0]); exit.value("dialog.exit.status") != "423" {
		t.Errorf("%+v", exit)
	}
	s.hangUp()
	r.nothingLeft()
}

func TestNETANNConference(t *testing.T) {
	r := newRig(t, nil)
	dial := func(script string) <-chan *caller.Summary {
		done := make(chan *caller.Summary, 1)
		go func() {
			summary, err := r.dial(context.Background(), r.uri("conf=Sales", ""), script)
			if err != nil {
				t.Error(err)
			}
			done <- summary
		}()
		return done
	}
	a := dial("wait 600ms; say hum 400 400ms; wait 1200ms")
	b := dial("wait 1200ms; say hum 700 400ms; wait 600ms")
	c := dial("wait 2200ms")
	for i, want := range [][]float64{{700}, {400}, {400, 700}} {
		summary := <-[]<-chan *caller.Summary{a, b, c}[i]
		if got := heard(summary); !slices.Equal(got, want) {
			t.Errorf("%d heard %v, want %v", i, tones(summary), want)
		}
	}
	r.nothingLeft()
}

func TestRecordService(t *testing.T) {
	r := newRig(t, nil)
	if _, err := r.dial(t.Context(), r.uri("record=call-9", "type="+escape("audio/wav;codec=pcm")), "say hum 1300 400ms; wait 300ms"); err != nil {
		t.Fatal(err)
	}
	got, paths := r.recordings(1)
	if !slices.Equal(got[0], []float64{1300}) || filepath.Base(paths[0]) != "call-9.wav" {
		t.Errorf("recorded %v in %v", got, paths)
	}
	if rec := r.record(1).Recordings; len(rec) != 1 || rec[0].ID != "call-9" || rec[0].URI != "file://"+paths[0] || rec[0].Duration < 400 {
		t.Errorf("the call's record has %+v", rec)
	}
	r.nothingLeft()
}
