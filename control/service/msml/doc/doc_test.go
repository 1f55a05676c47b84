package doc

import (
	"errors"
	"strings"
	"testing"
	"time"
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
		{"text to speech", `<dialogstart target="conn:1"><play><tts uri="http://host2/text.ssml"/></play></dialogstart>`, 402},
		{"conference", `<createconference name="example"><audiomix><n-loudest n="3"/><asn ri="10s"/></audiomix></createconference>`, 0},
		{"modification", `<modifyconference id="conf:example"><audiomix><asn ri="4"/></audiomix></modifyconference>`, 0},
		{"reservation", `<createconference><reserve><resource n="20"><!--description--></resource><resource n="2" type="shared"/></reserve></createconference>`, 0},
		{"coaching", `<join id1="conn:supervisor" id2="conn:agent"/><join id1="conn:supervisor" id2="conn:customer"><stream media="audio" dir="to-id1"/></join>`, 0},
		{"video stream", `<join id1="conn:a" id2="conf:b"><stream media="video"/></join>`, 410},
		{"leave tone", `<unjoin id1="conn:jd73ht89sf489f" id2="conf:1"/><dialogstart target="conf:1" type="application/moml+xml">` + play + `</dialogstart>`, 0},
		{"monitor", `<monitor id1="conn:a" id2="conn:b"/>`, 402},
		{"gain between streams", `<modifystream id1="conn:a" id2="conf:b"><stream media="audio" dir="from-id1"><gain amt="-3"/></stream></modifystream>`, 0},
		{"gain in a group", `<dialogstart target="conn:a"><group topology="fullduplex"><gain/></group></dialogstart>`, 402},
		{"recorder", `<modifyconference id="conf:a" xmlns:gvp="g"><gvp:recorder state="start"><gvp:params><gvp:param name="id" value="7"/></gvp:params></gvp:recorder></modifyconference>`, 0},
		{"recorder in no state", `<modifyconference id="conf:a" xmlns:gvp="g"><gvp:recorder state="on"/></modifyconference>`, 410},
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
	body = string(Event{Name: "done", ID: "conn:a", Items: []Item{{"dtmf.digits", "12&"}}}.Body())
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
