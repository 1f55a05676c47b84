package voicexml

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"mcp/control/reporting"
	"mcp/control/service/voicexml/live"
	"mcp/control/service/voicexml/pagelog"
	"mcp/vxml"
	"mcp/vxml/fetch"
	"mcp/vxml/secrecy"
)

// PageLog implements vxml.PageLogger: what a page logs under a label, such as
// com.genesyslab.var.CallResult, becomes a custom event of the call. An
// order in the call log is carried out.
func (p *phone) PageLog(l vxml.PageLog) {
	custom(p.call.Trail(), &p.secrets, l)
	if pagelog.IsFile(l.Dest) {
		p.write(l)
	}
	if l.Dest != "calllog" {
		return
	}
	if err := p.tape.Obey(l.Text, p.call, p.service.config.Recordings); err != nil {
		p.log.Warn("an order in the call log is not carried out", "text", l.Text, "error", err)
	}
}

// write adds to a file what a page logs, without what the caller gave in private.
func (p *phone) write(l vxml.PageLog) {
	err := p.service.config.Files.Write(l.Dest, pagelog.Entry{
		At: time.Now(), Call: p.call.ID(), Label: p.secrets.Conceal(l.Label), Text: p.secrets.Conceal(l.Text),
	})
	if err != nil {
		p.log.Warn("a page's log is not written to a file, only here", "label", l.Label, "dest", l.Dest, "error", err)
	}
}

// witnessed has the call's trail hear of what is fetched under the context.
func (p *phone) witnessed(ctx context.Context) context.Context {
	return fetch.WithWitness(ctx, func(e fetch.Exchange) {
		if p.service.config.Live != nil || p.call.Trail().Traces() {
			p.fetched(e.Method + " " + withoutQuery(e.URL) + ": " + outcome(e))
		}
	})
}

// outcome is how a request went.
func outcome(e fetch.Exchange) string {
	switch {
	case e.FromCache:
		return "from the cache"
	case e.Status == 0 && e.Err != nil:
		return "failed after " + e.Took.Round(time.Millisecond).String()
	case e.Err != nil:
		return fmt.Sprintf("%d in %d ms", e.Status, e.Took.Milliseconds())
	}
	return fmt.Sprintf("%d in %d ms, %d bytes", e.Status, e.Took.Milliseconds(), e.Size)
}

// fetched tells of what was fetched. The dialogue begins with what the page that
// begins it took.
func (p *phone) fetched(text string) {
	p.step(reporting.StepFetched, text)
	switch {
	case p.service.config.Live == nil:
	case p.shown == nil:
		p.early = append(p.early, p.secrets.Conceal(text))
	default:
		p.shown.Tell("fetched", p.secrets.Conceal(text))
	}
}

// custom reports what a page logs, without what the caller gave in private.
func custom(trail *reporting.Trail, secrets *secrecy.Secrets, l vxml.PageLog) {
	if l.Label != "" {
		trail.Custom(l.Label, secrets.Conceal(l.Text))
	}
}

// step reports a step of the call by the name it has in the product's own call
// logs, without what the caller gave in private.
func (p *phone) step(name reporting.Step, text string) {
	if trail := p.call.Trail(); trail.Traces() {
		trail.Step(name, p.secrets.Conceal(text))
	}
}

// transcribed are the names for what stands in transcripts too.
var transcribed = map[vxml.TraceKind]reporting.Step{
	vxml.Unheard: reporting.StepPromptStop, vxml.Filled: reporting.StepFilling, vxml.Thrown: reporting.StepEvent, vxml.Logged: reporting.StepLog,
	vxml.Typing: reporting.StepKey,
}

// told reports what a transcript has as well; e is concealed already.
func (p *phone) told(e vxml.TraceEvent) {
	name, text := transcribed[e.Kind], e.Text
	switch e.Kind {
	case vxml.Entered:
		if !p.entered {
			p.entered, name, text = true, reporting.StepAppBegun, withoutQuery(text)
		}
	case vxml.Heard:
		p.pace.heard(time.Now())
		if keys, ok := strings.CutPrefix(text, "dtmf: "); ok {
			name, text = reporting.StepKeys, keys
		}
	}
	if name != "" {
		p.call.Trail().Step(name, text)
	}
}

// pace measures for how long the caller hears nothing.
type pace struct {
	mu        sync.Mutex
	answered  time.Time // or when the application began
	asked     time.Time // end of an input that nothing was played after; zero: there is none
	latency   *reporting.Latency
	responses []float64
}

// maxResponses bounds how many responses of a call are measured: the first.
const maxResponses = 1000

func (p *pace) begin(at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answered = at
}

func (p *pace) heard(at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = at
}

// played notes that something begins to be played.
func (p *pace) played(at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.latency == nil {
		p.latency = &reporting.Latency{FirstPrompt: milliseconds(at.Sub(p.answered))}
	}
	if !p.asked.IsZero() && len(p.responses) < maxResponses {
		p.responses = append(p.responses, milliseconds(at.Sub(p.asked)))
	}
	p.asked = time.Time{}
}

// report is what the call's record says; nil: nothing was played.
func (p *pace) report() *reporting.Latency {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.latency != nil {
		p.latency.Response = reporting.SpreadOf(p.responses)
	}
	return p.latency
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// interpreted are the names for what the interpreter does.
var interpreted = map[vxml.StepKind]reporting.Step{
	vxml.Fetching: reporting.StepLookup, vxml.Fetched: reporting.StepFetchEnd, vxml.Compiled: reporting.StepCompiled,
	vxml.RootEntered: reporting.StepRoot,
	vxml.Leaving:     reporting.StepGoto, vxml.Called: reporting.StepSubdialog, vxml.Returned: reporting.StepReturn,
	vxml.DialogEntered: reporting.StepFormEntered, vxml.DialogLeft: reporting.StepFormLeft, vxml.Selected: reporting.StepSelected,
	vxml.FilledEntered: reporting.StepFilledEntered, vxml.FilledLeft: reporting.StepFilledLeft,
	vxml.HandlerEntered: reporting.StepHandlerEntered, vxml.HandlerLeft: reporting.StepHandlerLeft,
	vxml.Changed: reporting.StepVariable,
	vxml.Queued:  reporting.StepPrompt, vxml.InputBegun: reporting.StepInputStart, vxml.InputEnded: reporting.StepInputEnd,
}

// followed are the steps that who follows the call is shown. The others have their
// like among what transcripts have as well.
var followed = map[vxml.StepKind]string{
	vxml.RootEntered: "root", vxml.Leaving: "goes to", vxml.Called: "calls", vxml.Returned: "returned", vxml.DialogEntered: "dialog",
	vxml.Selected: "item", vxml.HandlerEntered: "handler", vxml.Changed: live.Changed,
}

// steps takes the interpreter's steps, for who follows the call and, where they are
// recorded, for the call's trail.
func (p *phone) steps() func(vxml.Step) {
	trail := p.call.Trail()
	traces := trail.Traces()
	if !traces && p.service.config.Live == nil {
		return nil
	}
	return func(s vxml.Step) {
		if kind := followed[s.Kind]; kind != "" {
			p.shown.Tell(kind, s.Text)
		}
		if traces && (s.Kind != vxml.Changed || p.service.config.Variables) {
			trail.Step(interpreted[s.Kind], s.Text)
		}
	}
}

// inspected tells whether somebody is to be told how variables change.
func (p *phone) inspected() bool {
	return p.service.config.Variables && p.call.Trail().Traces() || p.shown.Inspected()
}

// withoutQuery leaves out of an address what may be private in it.
func withoutQuery(url string) string {
	url, _, _ = strings.Cut(url, "?")
	return url
}
