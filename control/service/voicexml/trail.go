package voicexml

import (
	"context"
	"fmt"
	"strings"
	"time"

	"mcp/control/reporting"
	"mcp/vxml"
	"mcp/vxml/fetch"
	"mcp/vxml/secrecy"
)

// PageLog implements vxml.PageLogger: what a page logs under a label, such as
// com.genesyslab.var.CallResult, becomes a custom event of the call, and orders in
// the call log are carried out.
func (p *phone) PageLog(l vxml.PageLog) {
	custom(p.call.Trail(), &p.secrets, l)
	if l.Dest != "calllog" {
		return
	}
	if err := p.tape.Obey(l.Text, p.call, p.service.config.Recordings); err != nil {
		p.log.Warn("an order in the call log is not carried out", "text", l.Text, "error", err)
	}
}

// witnessed has the call's trail hear of what is fetched under the context.
func (p *phone) witnessed(ctx context.Context) context.Context {
	return fetch.WithWitness(ctx, func(e fetch.Exchange) {
		url, _, _ := strings.Cut(e.URL, "?")
		outcome := fmt.Sprintf("%d in %d ms, %d bytes", e.Status, e.Took.Milliseconds(), e.Size)
		switch {
		case e.FromCache:
			outcome = "from the cache"
		case e.Status == 0 && e.Err != nil:
			outcome = "failed after " + e.Took.Round(time.Millisecond).String()
		case e.Err != nil:
			outcome = fmt.Sprintf("%d in %d ms", e.Status, e.Took.Milliseconds())
		}
		p.call.Trail().Step(reporting.StepFetched, p.secrets.Conceal(e.Method+" "+url)+": "+outcome)
	})
}

// spoken reports the messages between the platform and a speech server.
func (p *phone) spoken(received bool, message string) {
	step := reporting.StepSpeechSent
	if received {
		step = reporting.StepSpeechReceived
	}
	p.call.Trail().Step(step, message)
}

// custom reports what a page logs, without what the caller gave in private.
func custom(trail *reporting.Trail, secrets *secrecy.Secrets, l vxml.PageLog) {
	if l.Label != "" {
		trail.Custom(l.Label, secrets.Conceal(l.Text))
	}
}

// steps are the names that the product's own call logs have for what a page does.
var steps = map[vxml.TraceKind]string{
	vxml.Entered: "goto", vxml.Said: "prompt_start", vxml.Unheard: "prompt_stop", vxml.Heard: "input_end",
	vxml.Filled: "filled_enter", vxml.Thrown: "event", vxml.Logged: "log", vxml.Waiting: "input_start", vxml.Typing: "dtmf_input",
}

// step reports what a page does to the call's trail; e is concealed already.
func (p *phone) step(e vxml.TraceEvent) {
	name, text := steps[e.Kind], e.Text
	switch e.Kind {
	case vxml.Entered:
		text, _, _ = strings.Cut(text, "?")
		if !p.entered {
			p.entered, name = true, "appl_begin"
		}
	case vxml.Heard:
		if keys, ok := strings.CutPrefix(text, "dtmf: "); ok {
			name, text = "dtmf", keys
		}
	}
	if name != "" {
		p.call.Trail().Step(name, text)
	}
}
