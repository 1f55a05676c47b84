package vxml_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mcp/vxml"
	"mcp/vxml/fetch"
	"mcp/vxml/sim"
)

// Each row is what ends a session, and how it is told.
func TestOutcomes(t *testing.T) {
	tests := []struct {
		name, body, steps string
		end               vxml.End
		event             string
		value             any // of the value v, or the result
	}{
		{"nothing is left", `<form><block>a</block></form>`, ``, vxml.Exited, "", nil},
		{"no dialog at all", `<var name="x"/>`, ``, vxml.Exited, "", nil},
		{"exit with a result", `<form><block><exit expr="1+2"/></block></form>`, ``, vxml.Exited, "", int64(3)},
		{"exit with names", `<form><block><var name="v" expr="'x'"/><exit namelist="v"/></block></form>`, ``, vxml.Exited, "", "x"},
		{"disconnect", `<form><block><var name="v" expr="7"/><disconnect namelist="v"/></block></form>`, ``,
			vxml.Disconnected, "connection.disconnect.hangup", int64(7)},
		{"the caller hangs up", `<form><field name="a" type="digits"/></form>`, `hangup`, vxml.HungUp, "connection.disconnect.hangup", nil},
		{"final processing after a hang-up", `<catch event="connection.disconnect"><var name="v" expr="8"/><exit namelist="v"/></catch>
			<form><field name="a" type="digits"/></form>`, `hangup`, vxml.HungUp, "connection.disconnect.hangup", int64(8)},
		{"final processing does not wait for input", `<catch event="connection.disconnect"><goto next="#b"/></catch>
			<form><field name="a" type="digits"/></form><form id="b"><field name="c" type="digits"/></form>`, `hangup`,
			vxml.HungUp, "connection.disconnect.hangup", nil},
		{"an error that nobody caught", `<form><block><throw event="error.mine" message="m"/></block></form>`, ``, vxml.Errored, "error.mine", nil},
		{"return outside a subdialog", `<form><block><return/></block></form>`, ``, vxml.Errored, "error.semantic", nil},
		{"a dialogue that runs in circles", `<form id="a"><block><goto next="#a"/></block></form>`, ``, vxml.Errored, "error.noresource", nil},
		{"a handler that throws what it handles", `<form><catch event="e"><throw event="e"/></catch><block><throw event="e"/></block></form>`, ``,
			vxml.Errored, "error.noresource", nil},
		{"subdialogs without end", `<form id="a"><subdialog name="s" src="#a"/></form>`, ``, vxml.Errored, "error.noresource", nil},
		{"goto into nowhere", `<form><block><goto next="missing.vxml"/></block></form>`, ``, vxml.Errored, "error.badfetch.http.404", nil},
		{"goto a dialog that is not there", `<form><block><goto next="#x"/></block></form>`, ``, vxml.Errored, "error.badfetch", nil},
		{"a field without a grammar", `<form><field name="a"/></form>`, ``, vxml.Errored, "error.semantic", nil},
		{"a grammar that is not there", `<form><field name="a"><grammar src="g.grxml"/></field></form>`, ``, vxml.Errored, "error.badfetch.http.404", nil},
		{"an unknown builtin", `<form><field name="a" type="shoesize"/></form>`, ``, vxml.Errored, "error.unsupported.builtin", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := run(t, page(tt.body), tt.steps)
			if d.err != nil {
				t.Fatal(d.err)
			}
			name := ""
			if d.out.Event != nil {
				name = d.out.Event.Name
			}
			value := d.out.Result
			if v, ok := d.out.Values["v"]; ok {
				value = v
			}
			if d.out.End != tt.end || name != tt.event || value != tt.value {
				t.Errorf("ended %s with %q and %v, want %s with %q and %v\n%s",
					d.out.End, name, value, tt.end, tt.event, tt.value, strings.Join(d.trace[max(0, len(d.trace)-8):], "\n"))
			}
		})
	}
}

// A script that fails is told of by its line: in the page, or in its own document.
func TestScriptsFailSomewhere(t *testing.T) {
	pages := page("\n<script>\nvar a = 1;\n</script><form><block>\n<script>\n a = 2;\n a = none;</script></block></form>")
	d := run(t, pages, "")
	if want := `http://site/a.vxml:7: <script>: ReferenceError: none is not defined`; d.out.Event == nil || !strings.HasPrefix(d.out.Event.Message, want) {
		t.Errorf("%v, want %s", d.out.Event, want)
	}
	pages = page(`<form><block><script src="lib.js"/></block></form>`)
	pages["/lib.js"] = "var a = 1;\na = none;"
	d = run(t, pages, "")
	if want := `http://site/a.vxml:1: <script>: http://site/lib.js:2: ReferenceError: none is not defined in "a = none;"`; d.out.Event == nil || d.out.Event.Message != want {
		t.Errorf("%v, want %s", d.out.Event, want)
	}
}

// What throws without end ends soon, and is told of by name.
func TestEventsWithoutEnd(t *testing.T) {
	for name, body := range map[string]string{
		"a handler's own": `<form><catch event="error"><value expr="none"/></catch><block><throw event="error.mine"/></block></form>`,
		"a condition's":   `<form><catch event="error"/><block cond="none"/></form>`,
	} {
		t.Run(name, func(t *testing.T) {
			d := run(t, page(body), "")
			thrown := strings.Count(strings.Join(d.trace, "\n"), "thrown: ")
			if thrown > 102 || d.out.End != vxml.Errored || d.out.Event.Name != "error.noresource" || !strings.Contains(d.out.Event.Message, "the last of them error.") {
				t.Errorf("%d events, and an end of %s with %v", thrown, d.out.End, d.out.Event)
			}
		})
	}
}

// A first page that cannot be used is an error that says where the fault lies.
func TestFirstPage(t *testing.T) {
	tests := []struct {
		name   string
		pages  site
		event  string
		phrase string
	}{
		{"missing", site{}, "error.badfetch.http.404", "404"},
		{"malformed", site{"/a.vxml": "<vxml version='2.0'>\n<form>\n"}, "error.badfetch", "http://site/a.vxml:3"},
		{"not valid", site{"/a.vxml": "<vxml version='2.0'>\n<frm/></vxml>"}, "error.badfetch", "a.vxml:2: <frm>"},
		{"root missing", site{"/a.vxml": "<vxml version='2.0' application='r.vxml'><form/></vxml>"}, "error.badfetch.http.404", "r.vxml"},
		{"root of root", site{
			"/a.vxml": "<vxml version='2.0' application='r.vxml'><form/></vxml>",
			"/r.vxml": "<vxml version='2.0' application='a.vxml'/>",
		}, "error.semantic", "application root"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := run(t, tt.pages, "")
			var event *vxml.Event
			if !errors.As(d.err, &event) || event.Name != tt.event || !strings.Contains(d.err.Error(), tt.phrase) {
				t.Errorf("error %v, want %s and %q", d.err, tt.event, tt.phrase)
			}
		})
	}
}

// The handler with the highest count that is reached wins, wherever it stands.
func TestEventCounts(t *testing.T) {
	const body = `
		<noinput>doc</noinput>
		<catch event="noinput" count="4">doc4<exit/></catch>
		<form>
			<catch event="noinput" count="2">form2</catch>
			<field name="a" type="digits">
				<catch event="noinput nomatch" count="3">field3</catch>
				<help>h</help>
			</field>
		</form>`
	d := run(t, page(body), "silence silence silence silence")
	if got := strings.Join(d.said, " "); got != "doc form2 field3 doc4" {
		t.Errorf("said %q", got)
	}
}

// An event is counted by its prefixes, too (VoiceXML 2.0 section 5.2.2).
func TestPrefixCounts(t *testing.T) {
	const body = `<form><var name="n" expr="0"/>
		<catch event="my.one">one</catch>
		<catch event="my" count="2">both<exit/></catch>
		<field name="a" type="digits"><noinput><assign name="n" expr="n+1"/><throw event="my.one"/></noinput></field></form>`
	d := run(t, page(body), "silence silence")
	if got := strings.Join(d.said, " "); got != "one both" {
		t.Errorf("said %q", got)
	}
}

// Whenever the caller hangs up, the session ends as hung up and its handler
// runs once.
func TestHangUpAtEveryMoment(t *testing.T) {
	const body = `
		<catch event="connection.disconnect.hangup"><log>bye</log><exit/></catch>
		<form><block>Welcome to a long greeting.</block>
			<field name="a" type="digits?length=2"><prompt>First number, please.</prompt></field>
			<field name="b" type="boolean"><prompt bargein="false">Second question.</prompt></field>
			<block>Thank you, and good bye.</block></form>`
	const whole = 40 * time.Second
	for at := time.Duration(0); at < whole; at += 700 * time.Millisecond {
		synctest.Test(t, func(t *testing.T) {
			client := site{"/a.vxml": vxmlPage(body)}.client()
			caller := sim.New(strings.NewReader("dtmf:12\nsay:yes\n"), t.Output())
			caller.Pace(200 * time.Millisecond)
			timer := time.AfterFunc(at, caller.HangUp)
			defer timer.Stop()
			byes, last := 0, false
			out, err := vxml.New(vxml.Options{Fetcher: fetch.New(fetch.Config{Client: client})}).Run(
				context.Background(), vxml.Start{URL: "http://site/a.vxml", Trace: func(e vxml.TraceEvent) {
					switch {
					case e.Kind == vxml.Logged:
						byes++
					case strings.HasPrefix(e.Text, "Thank you"):
						last = true
					}
					caller.Trace(e)
				}}, caller)
			if err != nil {
				t.Fatal(err)
			}
			// While the last words play the dialogue is over: there is nobody
			// left to tell.
			want := 1
			if last {
				want = 0
			}
			if byes != want || out.End == vxml.Exited && !last {
				t.Errorf("hang-up after %v: ended %s with %d farewells", at, out.End, byes)
			}
		})
	}
}

// A context that ends takes the session with it, whatever it is doing.
func TestCancelledSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		client := page(`<form><field name="a" type="digits"><prompt>Hello.</prompt></field></form>`).client()
		_, err := vxml.New(vxml.Options{Fetcher: fetch.New(fetch.Config{Client: client})}).Run(
			ctx, vxml.Start{URL: "http://site/a.vxml"}, newPhone())
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
	})
}
