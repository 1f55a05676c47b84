package vxml_test

import (
	"context"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mcp/vxml"
	"mcp/vxml/fetch"
	"mcp/vxml/sim"
)

const (
	result  = `<filled>[<value expr="x"/>]</filled>`
	gone    = `<catch event="connection.disconnect"><log>gone <value expr="_event"/> <value expr="x"/> <value expr="typeof x$ == 'undefined' ? '' : x$.duration"/></log><exit/></catch>`
	stopKey = `<grammar mode="dtmf" root="r"><rule id="r">1 2</rule></grammar>`
)

// heard runs a page and returns what it said and logged.
func heard(t *testing.T, body, steps string) string {
	t.Helper()
	d := run(t, page(body), steps)
	if d.err != nil {
		t.Fatal(d.err)
	}
	var out []string
	for _, line := range d.trace {
		for _, kind := range []vxml.TraceKind{vxml.Said, vxml.Logged} {
			if text, ok := strings.CutPrefix(line, kind.String()+": "); ok {
				out = append(out, text)
			}
		}
	}
	return strings.Join(out, "|")
}

func TestRecord(t *testing.T) {
	const about = `<filled><value expr="x$.duration"/> <value expr="x$.size > 100"/> <value expr="x$.maxtime"/> <value expr="x$.termchar"/></filled>`
	tests := []struct{ name, body, steps, want string }{
		{"what was said is there", `<form><record name="x"><prompt>Speak.</prompt>` + about + `</record></form>`, "say:ten_letter", "Speak.|600 true false null"},
		{"the limit", `<form><record name="x" maxtime="2s">` + about + `</record></form>`, "talk:on_and_on", "2000 true true null"},
		{"nothing said", `<form><record name="x" maxtime="2s"><noinput>Hello?<exit/></noinput>` + about + `</record></form>`, "silence", "Hello?"},
		{"the beep is asked for", `<form><record name="x" beep="true" modal="false"><filled>ok</filled></record></form>`, "say:a", "ok"},
		{"a key before a word", `<form><record name="x"><noinput>no</noinput>` + about + `<prompt>Speak.</prompt></record></form>`, "dtmf:# say:ten_letter",
			"Speak.|Speak.|600 true false null"},
		{"a key after words", `<form><record name="x">` + about + `</record></form>`, "say(#):ten_letter", "600 true false #"},
		{"a key after words that does not end it", `<form><record name="x" dtmfterm="false">` + about + `</record></form>`, "say(#):ten_letter say:more_words", "600 true false null"},
		{"keys do not end it", `<form><record name="x" dtmfterm="false">` + about + `</record></form>`, "dtmf:5 hangup", ""},
		{"a hang-up keeps it", gone + `<form><record name="x"/></form>`, "cut:ten_letter", "gone connection.disconnect.hangup recording:1 600"},
		{"it is played back", `<form><record name="x"><filled>You said <audio expr="x">nothing</audio></filled></record></form>`, "say:abc", "You said [recording:1]"},
		{"a type nobody has", `<catch event="error.unsupported.format">no<exit/></catch><form><record name="x" type="audio/ogg"/></form>`, "", "no"},
		{"a link is active unless it is modal", `<link event="out">` + stopKey + `</link><catch event="out">left<exit/></catch>
			<form><record name="x" modal="false" dtmfterm="false"/></form>`, "dtmf:12", "left"},
		{"and not when it is", `<link event="out">` + stopKey + `</link><catch event="out">left<exit/></catch>
			<form><record name="x" dtmfterm="false"/></form>`, "dtmf:12 hangup", ""},
		{"after the hang-up nothing is recorded", gone + `<form><block><disconnect/></block></form><form id="b"><record name="x"/></form>`, "", "gone connection.disconnect.hangup undefined"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.name == "after the hang-up nothing is recorded" {
				tt.body = strings.Replace(tt.body, "<form><block>", `<var name="x"/><form><block>`, 1)
			}
			if got := heard(t, tt.body, tt.steps); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

func TestTransfer(t *testing.T) {
	const shadow = `<filled>[<value expr="x"/> <value expr="x$.duration"/> <value expr="x$.utterance"/> <value expr="x$.inputmode"/>]</filled>`
	tests := []struct{ name, attrs, content, steps, want string }{
		{"busy", `bridge="true" dest="tel:1"`, shadow, "far:busy", "[busy 0 undefined undefined]"},
		{"nobody answers", `bridge="true" dest="tel:1" connecttimeout="100ms"`, shadow, "silence", "[noanswer 0 undefined undefined]"},
		{"the other party hangs up", `type="bridge" dest="tel:1"`, shadow, "far:hangup", "[far_end_disconnect 1 undefined undefined]"},
		{"the limit", `bridge="true" dest="tel:1" maxtime="5s"`, shadow, "silence", "[maxtime_disconnect 5 undefined undefined]"},
		{"keys end it", `bridge="true" destexpr="'tel:' + 1"`, stopKey + shadow, "dtmf:12", "[near_end_disconnect 0 12 dtmf]"},
		{"other keys do not", `bridge="true" dest="tel:1"`, stopKey + shadow, "dtmf:13 far:hangup", ""},
		{"words end it", `bridge="true" dest="tel:1"`,
			`<grammar mode="voice" root="r" version="1.0"><rule id="r">come back</rule></grammar>` + shadow, "say:hello say:come_back", "[near_end_disconnect 0 come back voice]"},
		{"blind", `dest="tel:1"`, result, "", "gone connection.disconnect.transfer undefined"},
		{"blind by name", `type="blind" dest="tel:1"`, result, "", "gone connection.disconnect.transfer undefined"},
		{"consultation", `type="consultation" dest="tel:1"`, result, "silence", "gone connection.disconnect.transfer undefined"},
		{"consultation fails", `type="consultation" dest="tel:1"`, result, "far:busy", "[busy]"},
		{"the caller hangs up", `bridge="true" dest="tel:1"`, result, "hangup", "gone connection.disconnect.hangup near_end_disconnect 0"},
		{"prompts come first", `bridge="true" dest="tel:1"`, `<prompt>Wait.</prompt>` + result, "far:busy", "Wait.|[busy]"},
		{"no destination", `destexpr="undefined"`, `<catch event="error.semantic">what<exit/></catch>`, "", "what"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := heard(t, gone+`<form><transfer name="x" `+tt.attrs+`>`+tt.content+`</transfer></form>`, tt.steps)
			if tt.name == "other keys do not" {
				return
			}
			if got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

// A platform that can do neither says so.
func TestPlatformWithoutCalling(t *testing.T) {
	tests := map[string]string{
		`<record name="x"/>`:                          "error.unsupported.record",
		`<transfer name="x" dest="tel:1"/>`:           "error.unsupported.transfer.blind",
		`<transfer name="x" type="bridge" dest="t"/>`: "error.unsupported.transfer.bridge",
		`<object name="x" classid="c"/>`:              "error.unsupported.objectname",
	}
	for item, want := range tests {
		synctest.Test(t, func(t *testing.T) {
			out, err := vxml.New(vxml.Options{Fetcher: fetcher(page(`<form>` + item + `</form>`))}).Run(context.Background(),
				vxml.Start{URL: "http://site/a.vxml"}, newPhone())
			if err != nil || out.Event == nil || out.Event.Name != want {
				t.Errorf("%s: %v, %v, want %s", item, out.Event, err, want)
			}
		})
	}
}

// A recording and a plain value go out as a form of two parts.
func TestMultipart(t *testing.T) {
	got := make(chan string, 4)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			io.WriteString(w, vxmlPage(`<form><var name="who" expr="'Ann &amp; Bob'"/><record name="x"/>
				<block><submit next="take" method="post" enctype="multipart/form-data" namelist="who x"/></block></form>`))
			return
		}
		_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
		if err != nil {
			t.Error(err)
		}
		parts := multipart.NewReader(r.Body, params["boundary"])
		for {
			p, err := parts.NextPart()
			if err != nil {
				break
			}
			body, _ := io.ReadAll(p)
			got <- p.FormName() + " " + p.FileName() + " " + p.Header.Get("Content-Type") + " " + string(body[:4])
		}
		io.WriteString(w, vxmlPage(`<form><block>Thanks.</block></form>`))
	}))
	defer server.Close()
	caller := sim.New(strings.NewReader("say:hello"), t.Output())
	in := vxml.New(vxml.Options{Fetcher: fetch.New(fetch.Config{Client: server.Client()})})
	if out, err := in.Run(context.Background(), vxml.Start{URL: server.URL + "/a", Trace: caller.Trace}, caller); err != nil || out.End != vxml.Exited {
		t.Fatal(out, err)
	}
	for _, want := range []string{"who   Ann ", "x x.wav audio/x-wav RIFF"} {
		if part := <-got; part != want {
			t.Errorf("part %q, want %q", part, want)
		}
	}
}

// desk is a phone with one object.
type desk struct{ *phone }

func (desk) Object(_ context.Context, req vxml.ObjectRequest) (any, error) {
	if req.ClassID != "builtin:echo" {
		return nil, &vxml.Event{Name: "error.unsupported.objectname", Message: req.ClassID}
	}
	out := map[string]any{"data": req.Data + " " + strings.Join(req.Archive, " ") + " "}
	for _, p := range req.Params {
		out[p.Name] = p.Value
	}
	return out, nil
}

func TestObject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pages := page(`<form><object name="o" classid="builtin:echo" codebase="code/" data="x?y" archive="p q"><param name="a" expr="1+1"/><param name="b" value="two"/></object>
			<block><exit expr="o.data + o.a + o.b"/></block></form>`)
		out, err := vxml.New(vxml.Options{Fetcher: fetcher(pages)}).Run(context.Background(),
			vxml.Start{URL: "http://site/a.vxml"}, desk{newPhone()})
		if err != nil || out.Result != "http://site/code/x?y http://site/code/p http://site/code/q 2two" {
			t.Errorf("%v, %v, %v", out.Result, out.Event, err)
		}
	})
}

func TestData(t *testing.T) {
	const document = `<?xml version="1.0"?><?access-control allow="*.friend.example site"?><quote xmlns:a="urn:a"><last a:unit="p">30.00</last><!-- c --><last>2</last></quote>`
	tests := []struct{ name, body, want string }{
		{"the document", `<data name="d" src="d.xml"/><form><block><value expr="d.documentElement.getElementsByTagName('last').item(0).firstChild.data"/></block></form>`, "30.00"},
		{"in a form", `<form><data name="d" src="d.xml"/><block><value expr="d.documentElement.nodeName"/></block></form>`, "quote"},
		{"in a block", `<form><block><data name="d" srcexpr="'d.xml'"/><value expr="d.documentElement.childNodes.length"/></block></form>`, "3"},
		{"it is read-only", `<data name="d" src="d.xml"/><form><catch event="error.semantic">no</catch>
			<block><script>d.documentElement.removeChild(d.documentElement.firstChild)</script></block></form>`, "no"},
		{"nothing is looked at without a name", `<form><block><data src="junk.xml"/>sent</block></form>`, "sent"},
		{"not XML", `<form><catch event="error.badfetch">bad</catch><block><data name="d" src="junk.xml"/></block></form>`, "bad"},
		{"not there", `<form><catch event="error.badfetch.http.404">gone</catch><block><data name="d" src="none.xml"/></block></form>`, "gone"},
		{"values go along", `<form><block><var name="k" expr="7"/><data name="d" src="q.xml" namelist="k"/><value expr="d.documentElement.getAttribute('q')"/></block></form>`, "k=7"},
		{"somebody else's", `<form><catch event="error.noauthorization">private</catch><block><data name="d" src="http://other/private.xml"/></block></form>`, "private"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			pages := page(tt.body)
			pages["/d.xml"], pages["/junk.xml"], pages["/q.xml"] = document, "junk", `<r q="{query}"/>`
			pages["/private.xml"] = `<?access-control allow="friend.example"?><r/>`
			d := run(t, pages, "")
			if got := strings.Join(d.said, " "); d.err != nil || got != tt.want {
				t.Errorf("said %q, %v, want %q\n%s", got, d.err, tt.want, strings.Join(d.trace, "\n"))
			}
		})
	}
}

// taping is a phone that records for a second.
type taping struct {
	*phone
	recordings int
}

func (p *taping) Record(context.Context, vxml.RecordRequest) (vxml.Recording, error) {
	p.recordings++
	t := &tape{phone: p.phone, done: make(chan struct{})}
	t.timer = time.AfterFunc(time.Second, func() { close(t.done) })
	return taped{t}, nil
}

type taped struct{ *tape }

func (taped) Take() (vxml.Recorded, error) {
	return vxml.Recorded{Data: []byte("RIFF"), MediaType: "audio/x-wav", Duration: time.Second}, nil
}

// A key ends the prompt of a recording and with it the recording, unless the
// prompt or the element has it otherwise (VoiceXML 2.0 section 2.3.6).
func TestKeysBeforeRecording(t *testing.T) {
	tests := []struct {
		name, attrs, prompt, grammar string
		recordings                   int
		stopped                      time.Duration // of the prompt; 0: played to its end
	}{
		{name: "a key", stopped: 500 * time.Millisecond},
		{name: "keys do not end it", attrs: `dtmfterm="false"`, recordings: 1},
		{name: "a prompt without barge-in", prompt: `bargein="false"`, recordings: 1},
		{name: "a grammar's key", attrs: `dtmfterm="false"`, grammar: `<grammar mode="dtmf" root="r"><rule id="r">5</rule></grammar>`, stopped: 500 * time.Millisecond},
		{name: "a key that no grammar knows", attrs: `dtmfterm="false"`, grammar: stopKey, recordings: 1, stopped: 500 * time.Millisecond},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &taping{phone: newPhone()}
				p.press(500*time.Millisecond, 0, "5")
				timed(t, p, `<form><record name="x" `+tt.attrs+`><prompt `+tt.prompt+`>Speak.</prompt>`+tt.grammar+`<filled><exit/></filled></record>
					</form>`, func(e vxml.TraceEvent) bool {
					return e.Kind == vxml.Said && p.recordings == 0 && time.Since(p.began) >= 500*time.Millisecond
				})
				if p.recordings != tt.recordings {
					t.Errorf("%d recordings, want %d", p.recordings, tt.recordings)
				}
				if got := append(p.stopped, 0)[0]; got != tt.stopped {
					t.Errorf("the prompt was stopped at %v, want %v", got, tt.stopped)
				}
			})
		})
	}
}

// The timeout of a recording's prompt is not that of the question after it.
func TestTimeoutOfRecordingIsItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &taping{phone: newPhone()}
		all := timed(t, p, `<form><property name="inputmodes" value="dtmf"/><record name="x"><prompt timeout="1s">Speak.</prompt></record><field name="n" type="digits"><noinput><exit/></noinput></field></form>`)
		// A second each for the prompt and the recording, and then five of silence.
		if at := find(t, all, vxml.Thrown, "noinput"); at != 7*time.Second {
			t.Errorf("noinput after %v, want 7s\n%v", at, all)
		}
	})
}
