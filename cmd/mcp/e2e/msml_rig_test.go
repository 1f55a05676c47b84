package e2e

import (
	"context"
	"encoding/xml"
	"mcp/cmd/mcplab/caller"
	"mcp/control/sip"
	"mcp/control/sip/header"
	"mcp/control/sip/siptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// steerer is a control agent: a call of its own, byte by byte, over which it sends
// MSML and takes events.
type steerer struct {
	t      *testing.T
	call   *siptest.Call
	id     string // of its connection
	over   bool   // it has hung up
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

// steer calls the platform's MSML service. In the end it hangs up, if it has not, and nothing
// is to be left of the calls.
func (r *rig) steer(t *testing.T) *steerer {
	s := &steerer{t: t, bodies: map[string]header.Part{}}
	peer := siptest.Dial(t, "tcp", strings.TrimPrefix(r.sip, "tcp:"))
	s.call = siptest.NewCall(peer, r.uri("msml=1", ""))
	peer.Send(s.call.Request("INVITE").WithSDP(steererSDP))
	ok := peer.Expect("SIP/2.0 200")
	s.call.Establish(ok)
	peer.Send(s.call.Ack(ok))
	s.id = "conn:" + siptest.Param(ok.Get("To"), "tag")
	t.Cleanup(func() {
		if t.Failed() {
			return
		}
		if !s.over {
			s.hangUp()
		}
		r.nothingLeft()
	})
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
	s.over = true
	s.call.Peer.Send(s.call.Request("BYE"))
	s.call.Peer.Expect("SIP/2.0 200", "INFO")
}

// participant is a telephone at the MSML service whose media somebody else steers.
type participant struct {
	t       *testing.T
	id      string
	hears   chan struct{} // its script has heard or listened
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
	p := &participant{t: t, hears: make(chan struct{}, 9), done: make(chan struct{})}
	steps, err := caller.ParseScript(script)
	if err != nil {
		t.Fatal(err)
	}
	up := make(chan string, 1)
	c.To, c.Quiet = r.uri("msml", ""), 300*time.Millisecond
	c.Up = func(d *sip.Dialog) { up <- "conn:" + d.RemoteTag() }
	c.Tell = func(what, _ string) {
		if what == "heard the far end finish" {
			p.hears <- struct{}{}
		}
	}
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

// cueHz is the tone after which a participant says what it has to say next.
const cueHz = 1600

// cue has a participant say that, and waits until it has.
func (s *steerer) cue(r *rig, p *participant) {
	s.t.Helper()
	result := s.ask(`<dialogstart target="` + p.id + `" name="cue"><group topology="parallel">
		<play><audio uri="` + r.pages.server.URL + `/` + strconv.Itoa(cueHz) + `/300ms"/></play><vad><tsilence len="300ms"/></vad></group></dialogstart>`)
	if result.Response != 200 {
		s.t.Fatalf("%+v", result)
	}
	s.event("msml.dialog.exit", p.id+"/dialog:cue")
}

// uncued are tones without those that were cues.
func uncued(hz []float64) []float64 {
	return slices.DeleteFunc(hz, func(one float64) bool { return one == cueHz })
}
