package voicexml

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"mcp/control/reporting"
	"mcp/control/reporting/recent"
	"mcp/vxml"
	"mcp/vxml/fetch"
)

// presser presses a key as soon as the caller hears something.
type presser struct {
	*recent.Calls
	keys chan<- vxml.Digit
}

func (p *presser) Begun(r *reporting.Record) func(*reporting.Event) {
	shown := p.Calls.Begun(r)
	return func(e *reporting.Event) {
		shown(e)
		if e.Name == string(reporting.StepPromptPlay) {
			p.keys <- vxml.Digit{Key: '1'}
		}
	}
}

// BenchmarkDialogue prepares and runs dialogues on a call: page and prompt come from the
// cache, and the caller presses a key as soon as the prompt begins.
func BenchmarkDialogue(b *testing.B) {
	const page = `<vxml version="2.1" xmlns="http://www.w3.org/2001/vxml"><property name="inputmodes" value="dtmf"/>
<form><field name="digit"><grammar mode="dtmf" version="1.0" root="d" xmlns="http://www.w3.org/2001/06/grammar">
<rule id="d"><one-of><item>1</item><item>2</item></one-of></rule></grammar>
<prompt timeout="60s"><audio src="prompt.au"/></prompt></field></form></vxml>`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=3600")
		if r.URL.Path == "/main.vxml" {
			_, _ = io.WriteString(w, page)
			return
		}
		w.Header().Set("Content-Type", "audio/basic")
		_, _ = w.Write(bytes.Repeat([]byte{0xff}, 8000))
	}))
	defer server.Close()
	watcher := &presser{Calls: &recent.Calls{}}
	c := lend(b, watcher, nil)
	in := vxml.New(vxml.Options{Fetcher: fetch.New(fetch.Config{Client: server.Client()})})
	s := New(Config{Default: server.URL + "/main.vxml", Inspected: watcher.Inspected}, in)
	b.ReportAllocs()
	for b.Loop() {
		made, err := s.Prepare(b.Context(), c)
		if err != nil {
			b.Fatal(err)
		}
		watcher.keys = made.(*program).phone.digits
		if e := made.Run(b.Context()); e.Cause != reporting.Completed || e.Err != nil {
			b.Fatalf("%+v", e)
		}
	}
}
