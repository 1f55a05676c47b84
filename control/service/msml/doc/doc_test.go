package doc

import (
	"errors"
	"strings"
	"testing"
	"time"

	"mcp/control/sip/header"
)

// Every complete request in RFC 5707 that is about supported packages is read; the
// others are refused with the code for what is not supported.
func TestDocuments(t *testing.T) {
	play := `<play><audio uri="http://host1/clip2.wav"/></play>`
	for _, tt := range []struct {
		name, body string
		code       int
	}{
		{"announcement", `<dialogstart target="conn:12345" name="12345">` + play + `<send target="source" event="done" namelist="play.amt play.end"/></dialogstart>`, 0},
		{"text to speech", `<dialogstart target="conn:1"><play><tts uri="http://host2/text.ssml"/></play></dialogstart>`, 0},
		{"text to speech, inline", `<dialogstart target="conn:1"><play xml:lang="de"><tts iterate="2"><speak version="1.0"><p>a<break/></p></speak></tts></play></dialogstart>`, 0},
		{"text to speech of nothing", `<dialogstart target="conn:1"><play><tts> </tts></play></dialogstart>`, 403},
		{"text to speech of two things", `<dialogstart target="conn:1"><play><tts uri="a">b</tts></play></dialogstart>`, 422},
		{"speech recognition", `<dialogstart target="conn:12345" name="12345"><group topology="parallel"><play><audio uri="file://prompt.wav"/></play>` + recognition + `</group></dialogstart>`, 0},
		{"speech with all attributes", `<dialogstart target="conn:1"><speech id="s" noint="5s" norect="10s" spcmplt="800ms" spincmplt="1s" confidence="50" sens="60" starttimer="true" iterate="forever">
			<grammar uri="http://h/g.grxml" iterate="2"><match><exit namelist="speech.results"/></match></grammar><noinput iterate="3"/><speechexit><exit/></speechexit></speech></dialogstart>`, 0},
		{"speech with too much confidence", `<dialogstart target="conn:1"><speech confidence="101"><grammar uri="g"/></speech></dialogstart>`, 410},
		{"speech without a grammar", `<dialogstart target="conn:1"><speech><noinput/></speech></dialogstart>`, 403},
		{"grammar of nothing", `<dialogstart target="conn:1"><speech><grammar><match/></grammar></speech></dialogstart>`, 403},
		{"grammar of two things", `<dialogstart target="conn:1"><speech><grammar uri="g"><rule id="r">a</rule></grammar></speech></dialogstart>`, 422},
		{"match of what is none", `<dialogstart target="conn:1"><speech><grammar><rule id="r">a</rule><match><play/></match></grammar></speech></dialogstart>`, 404},
		{"conference", `<createconference name="example"><audiomix><n-loudest n="3"/><asn ri="10s"/></audiomix></createconference>`, 0},
		{"modification", `<modifyconference id="conf:example"><audiomix><asn ri="4"/></audiomix></modifyconference>`, 0},
		{"reservation", `<createconference><reserve><resource n="20"><!--description--></resource><resource n="2" type="shared"/></reserve></createconference>`, 0},
		{"coaching", `<join id1="conn:supervisor" id2="conn:agent"/><join id1="conn:supervisor" id2="conn:customer"><stream media="audio" dir="to-id1"/></join>`, 0},
		{"video stream", `<join id1="conn:a" id2="conf:b"><stream media="video"/></join>`, 407},
		{"leave tone", `<unjoin id1="conn:jd73ht89sf489f" id2="conf:1"/><dialogstart target="conf:1" type="application/moml+xml">` + play + `</dialogstart>`, 0},
		{"monitor", `<monitor id1="conn:a" id2="conn:b"/>`, 402},
		{"gain between streams", `<modifystream id1="conn:a" id2="conf:b"><stream media="audio" dir="from-id1"><gain amt="-3"/></stream></modifystream>`, 0},
		{"gain in a group", `<dialogstart target="conn:a"><group topology="fullduplex"><gain/></group></dialogstart>`, 402},
		{"recorder", `<modifyconference id="conf:a" xmlns:gvp="g"><gvp:recorder state="start"><gvp:params><gvp:param name="id" value="7"/></gvp:params></gvp:recorder></modifyconference>`, 0},
		{"recorder in no state", `<modifyconference id="conf:a" xmlns:gvp="g"><gvp:recorder state="on"/></modifyconference>`, 410},
		{"call progress", `<dialogstart target="conn:a" xmlns:p="urn:mcp:msml"><group topology="parallel"><p:progress id="cpa" until="beep" profile="voice" maxtime="30s"><p:progressexit>
			<send target="source" event="heard" namelist="progress.outcome"/></p:progressexit></p:progress></group></dialogstart>`, 0},
		{"call progress of the default namespace", `<dialogstart target="conn:a"><progress xmlns="urn:mcp:msml"/><exit namelist="progress.outcome"/></dialogstart>`, 0},
		{"call progress of no namespace", `<dialogstart target="conn:a"><progress/></dialogstart>`, 401},
		{"call progress of another's", `<dialogstart target="conn:a" xmlns:p="urn:x"><p:progress/></dialogstart>`, 401},
		{"call progress until dawn", `<dialogstart target="conn:a" xmlns:p="urn:mcp:msml"><p:progress until="dawn"/></dialogstart>`, 410},
		{"call progress of no profile", `<dialogstart target="conn:a" xmlns:p="urn:mcp:msml"><p:progress profile="polite"/></dialogstart>`, 410},
		{"call progress with content", `<dialogstart target="conn:a" xmlns:p="urn:mcp:msml"><p:progress><exit/></p:progress></dialogstart>`, 404},
		{"call progress outside dialogs", `<p:progress xmlns:p="urn:mcp:msml"/>`, 404},
		{"connection", `<mcp:createconnection xmlns:mcp="urn:mcp:msml" to="sip:bob@example.com" from="sip:100@example.com" name="bob" until="beep" profile="voice" timeout="30s" mark="1"/>`, 0},
		{"connection, then its end", `<c:createconnection xmlns:c="urn:mcp:msml" to="sip:bob@example.com"/><c:destroyconnection xmlns:c="urn:mcp:msml" id="conn:bob" mark="2"/>`, 0},
		{"connection with what it is told", `<mcp:createconnection xmlns:mcp="urn:mcp:msml" to="sip:bob@example.com" aai="7"><mcp:header name="X-Campaign" value="9"/></mcp:createconnection>`, 0},
		{"connection with a header of no name", `<mcp:createconnection xmlns:mcp="urn:mcp:msml" to="sip:bob@example.com"><mcp:header value="9"/></mcp:createconnection>`, 408},
		{"connection with a header of no namespace", `<mcp:createconnection xmlns:mcp="urn:mcp:msml" to="sip:bob@example.com"><header name="X-Campaign" value="9"/></mcp:createconnection>`, 401},
		{"connection to nobody", `<mcp:createconnection xmlns:mcp="urn:mcp:msml" name="bob"/>`, 408},
		{"connection to a name", `<mcp:createconnection xmlns:mcp="urn:mcp:msml" to="bob"/>`, 410},
		{"connection from two lines", `<mcp:createconnection xmlns:mcp="urn:mcp:msml" to="sip:bob@example.com" from="sip:a@b&#13;&#10;X: y"/>`, 410},
		{"connection for some time", `<mcp:createconnection xmlns:mcp="urn:mcp:msml" to="sip:bob@example.com" timeout="soon"/>`, 410},
		{"connection until dawn", `<mcp:createconnection xmlns:mcp="urn:mcp:msml" to="sip:bob@example.com" until="dawn"/>`, 410},
		{"connection by what is unknown", `<mcp:createconnection xmlns:mcp="urn:mcp:msml" to="sip:bob@example.com" via="x"/>`, 406},
		{"connection with a dialog", `<mcp:createconnection xmlns:mcp="urn:mcp:msml" to="sip:bob@example.com">` + play + `</mcp:createconnection>`, 404},
		{"connection of no namespace", `<createconnection to="sip:bob@example.com"/>`, 401},
		{"connection in a dialog", `<dialogstart target="conn:a" xmlns:p="urn:mcp:msml"><p:createconnection to="sip:bob@example.com"/></dialogstart>`, 404},
		{"end of no connection", `<destroyconnection xmlns="urn:mcp:msml"/>`, 408},
		{"play of our own", `<dialogstart target="conn:a" xmlns:p="urn:mcp:msml"><p:play><audio uri="a"/></p:play></dialogstart>`, 401},
		{"empty play", `<dialogstart target="conn:a"><play/></dialogstart>`, 403},
		{"nothing", ``, 0},
	} {
		ops, err := Parse([]byte(`<?xml version="1.0" encoding="UTF-8"?><msml version="1.1">` + tt.body + `</msml>`))
		var fault *Fault
		errors.As(err, &fault)
		if tt.code == 0 && err != nil || tt.code != 0 && (fault == nil || fault.Code != tt.code) {
			t.Errorf("%s: %d operations, %v; want %d", tt.name, len(ops), err, tt.code)
		}
	}
	for _, bad := range []string{"", "<msml>", `<moml version="1.0"/>`, `<msml/>`, `<!DOCTYPE msml [<!ENTITY a "b">]><msml version="1.1"/>`} {
		if _, err := Parse([]byte(bad)); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

// recognition is <speech> of RFC 5707 section 13.4.
const recognition = `<speech>
               <grammar version="1.0">
                  <rule id="city" scope="public">
                     <item>
                        <one-of>
                           <item>vancouver</item>
                           <item>new york</item>
                           <item>london</item>
                        </one-of>
                     </item>
                  </rule>
                  <match>
                     <send target="group" event="terminate"/>
                  </match>
               </grammar>
               <noinput>
                  <send target="group" event="terminate"/>
               </noinput>
               <nomatch>
                  <send target="group" event="terminate"/>
               </nomatch>
            </speech>`

// A value that is a document travels as a body of its own, which the event names.
func TestEventsWithDocuments(t *testing.T) {
	e := Event{Name: "done", ID: "conn:a", Items: []Item{{Name: "speech.end", Value: "speech.match"}, {Name: "speech.results", Value: "<result/>", Type: "application/nlsml+xml"}}}
	mediaType, body := e.Content("application/msml+xml")
	parts, err := header.Parts(mediaType, "", body)
	if err != nil || len(parts) != 2 || !parts[0].Is("application/msml+xml") || !parts[1].Is("application/nlsml+xml") {
		t.Fatalf("%v %+v", err, parts)
	}
	if want := "<name>speech.results</name><value>cid:" + parts[1].ID + "</value>"; parts[1].ID == "" || !strings.Contains(string(parts[0].Body), want) || string(parts[1].Body) != "<result/>" {
		t.Errorf("%s", body)
	}
	e.Items[1].Value = ""
	if mediaType, body = e.Content("application/msml+xml"); mediaType != "application/msml+xml" || !strings.HasSuffix(string(body), "<name>speech.results</name><value/></event></msml>") && !strings.HasSuffix(string(body), "<value></value></event></msml>") {
		t.Errorf("%s: %s", mediaType, body)
	}
}

func TestTimesAndIterations(t *testing.T) {
	for text, want := range map[string]time.Duration{"10s": 10 * time.Second, "100ms": 100 * time.Millisecond, "4": 4 * time.Second, "1.5s": 1500 * time.Millisecond} {
		if got, ok := Time(text); !ok || got != want {
			t.Errorf("%s is %v, %v", text, got, ok)
		}
	}
	for _, bad := range []string{"", "s", "-1s", "NaN", "soon", "1e99s", "10m"} {
		if got, ok := Time(bad); ok {
			t.Errorf("%q is %v", bad, got)
		}
	}
	if n, ok := Times("forever"); !ok || n != Forever {
		t.Error("forever")
	}
	if _, ok := Times("0"); ok {
		t.Error("no times at all")
	}
}

// Results and events are documents of the schema, whatever is in them.
func TestResultsAndEvents(t *testing.T) {
	body := string(Result{Code: 430, Mark: "1", Text: "no <such>\x00 object", Dialogs: []string{"conn:a/dialog:b"}}.Body())
	want := `<msml version="1.1"><result response="430" mark="1"><description>no &lt;such&gt; object</description><dialogid>conn:a/dialog:b</dialogid></result></msml>`
	if !strings.HasSuffix(body, want) {
		t.Errorf("%s", body)
	}
	body = string(Event{Name: "done", ID: "conn:a", Items: []Item{{Name: "dtmf.digits", Value: "12&"}}}.Body())
	if !strings.HasSuffix(body, `<event name="done" id="conn:a"><name>dtmf.digits</name><value>12&amp;</value></event></msml>`) {
		t.Errorf("%s", body)
	}
}

func TestMediaTypes(t *testing.T) {
	for kind, want := range map[string]bool{
		"application/msml+xml": true, "Application/vnd.radisys.msml+xml; charset=utf-8": true, "application/sdp": false, "": false,
	} {
		if Is(kind) != want {
			t.Errorf("%q", kind)
		}
	}
}

// FuzzParse: whatever is read, what is accepted can be asked for its values, and a
// fault has a code of RFC 5707.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`<msml version="1.1"><dialogstart target="conn:a"><play><audio uri="x"/></play></dialogstart></msml>`))
	f.Add([]byte(`<msml version="1.1"><join id1="conn:a" id2="conf:b"><stream media="audio"><gain amt="-3"/></stream></join></msml>`))
	f.Add([]byte(`<msml version="1.1" xmlns:mcp="urn:mcp:msml"><dialogstart target="conn:a"><mcp:progress until="beep" maxtime="9s"/></dialogstart></msml>`))
	f.Fuzz(func(t *testing.T, body []byte) {
		ops, err := Parse(body)
		var fault *Fault
		if err != nil && (!errors.As(err, &fault) || fault.Code < 400 || fault.Code > 599 || fault.Text == "") {
			t.Errorf("fault %v", err)
		}
		for _, op := range ops {
			TimeOf(op, "ri", 0)
			TimesOf(op, "iterate", 1)
			BoolOf(op, "term", true)
		}
	})
}
