package demo

import (
	"strings"
	"sync"

	"mcp/cmd/mcplab/caller"
	"mcp/cmd/mcplab/process"
	"mcp/control/reporting"
)

// facts are all that is known of a run.
type facts struct {
	mu sync.Mutex
	told

	call    *caller.Summary
	heard   []int16 // by the caller
	record  *reporting.Record
	json    []byte // the record as it was stored
	records int    // in the journal
	journal string
	legs    int // in the kernel after the call
	dumped  bool
}

// told is what the logs told.
type told struct {
	plane      string   // the media plane's mode
	said       []string // by the application, as text
	understood []string // by the platform, from speech
	digits     string   // by the platform, from events
	pages      []string // fetched from the web server
	spokenMS   float64  // of speech that the speech server made
	sessions   []rtpCount
	problems   []string // warnings and errors of any log
}

// rtpCount is what a session of the speech server sent and received.
type rtpCount struct{ sent, received uint64 }

// note keeps a fact.
func (f *facts) note(keep func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	keep()
}

// fromPlatform takes a line of the platform's log.
func (d *demo) fromPlatform(e process.Entry) {
	f := d.facts
	d.complaint("platform", e)
	switch e.Msg() {
	case "media plane":
		f.note(func() { f.plane = e.Text("mode") })
		d.timeline.tell("platform", "media plane %s: %s", e.Text("mode"), e.Text("reason"))
	case "call offered":
		d.timeline.tell("platform", "call offered, from %s", e.Text("from"))
	case "call answered":
		d.timeline.tell("platform", "call answered, %s", e.Text("codec"))
	case "said":
		f.note(func() { f.said = append(f.said, e.Text("text")) })
		d.timeline.tell("platform", "says %q", e.Text("text"))
	case "understood":
		f.note(func() { f.understood = append(f.understood, e.Text("utterance")) })
		d.timeline.tell("platform", "understood %q (%s, confidence %s)", e.Text("utterance"), e.Text("outcome"), e.Text("confidence"))
	case "dtmf":
		f.note(func() { f.digits += e.Text("digit") })
		d.timeline.tell("platform", "took key %s", e.Text("digit"))
		d.dumpOnce()
	case "call ended":
		d.timeline.tell("platform", "call ended: %s, by %s", e.Text("cause"), e.Text("by"))
	}
}

// complaint keeps and prints warnings and errors.
func (d *demo) complaint(who string, e process.Entry) {
	if level := e.Text("level"); level != "WARN" && level != "ERROR" {
		return
	}
	text := strings.TrimSpace(e.Msg() + " " + e.Text("error"))
	d.facts.note(func() { d.facts.problems = append(d.facts.problems, who+": "+text) })
	d.timeline.tell(who, "%s: %s", e.Text("level"), text)
}

// fromSpeech takes a line of the speech server's log.
func (d *demo) fromSpeech(e process.Entry) {
	f := d.facts
	d.complaint("speech", e)
	switch e.Msg() {
	case "session opened":
		d.timeline.tell("speech", "session opened, RTP at %s", e.Text("media"))
	case "synthesized":
		f.note(func() { f.spokenMS += e.Number("ms") })
		d.timeline.tell("speech", "synthesized %.1f s", e.Number("ms")/1000)
	case "recognized":
		d.timeline.tell("speech", "recognized %q, meaning %q, confidence %s", e.Text("utterance"), e.Text("instance"), e.Text("confidence"))
	case "recognized nothing":
		d.timeline.tell("speech", "recognized nothing")
	case "session closed":
		count := rtpCount{uint64(e.Number("rtp_sent")), uint64(e.Number("rtp_received"))}
		f.note(func() { f.sessions = append(f.sessions, count) })
		d.timeline.tell("speech", "session closed, RTP packets sent %d, received %d", count.sent, count.received)
	}
}

// fromWeb takes a line of the web server's log.
func (d *demo) fromWeb(e process.Entry) {
	d.complaint("web", e)
	if e.Msg() != "page asked for" {
		return
	}
	form := e.Text("form")
	if form != "" {
		form = " with " + form
	}
	d.facts.note(func() { d.facts.pages = append(d.facts.pages, e.Text("url")) })
	d.timeline.tell("web", "%s %s%s", e.Text("method"), e.Text("url"), form)
}

// fromCaller takes a line of the caller's log.
func (d *demo) fromCaller(e process.Entry) {
	d.complaint("caller", e)
	if detail := e.Text("detail"); detail != "" {
		d.timeline.tell("caller", "%s %s", e.Msg(), detail)
	} else if e["detail"] != nil {
		d.timeline.tell("caller", "%s", e.Msg())
	}
}
