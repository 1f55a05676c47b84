package voicexml

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"mcp/control/reporting"
	"mcp/control/reporting/recent"
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

// fetched has the call's trail hear of what the page needs from elsewhere.
func (p *phone) fetched(e fetch.Exchange) {
	p.step(reporting.StepFetched, e.Method+" "+withoutQuery(e.URL)+": "+outcome(e))
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

// trace tells what a transcript has, and logs it; what is said and understood is logged
// where it happens. Keys are told once they are taken: only then is it known whether they
// are private. The texts are concealed already.
func (p *phone) trace(e vxml.TraceEvent) {
	trail := p.call.Trail()
	switch e.Kind {
	case vxml.Entered:
		if !p.entered {
			p.entered = true
			trail.Step(reporting.StepAppBegun, withoutQuery(e.Text))
		}
		trail.Show(e.Kind.String(), e.Text)
		p.note("page entered", slog.String("url", e.Text))
	case vxml.Heard:
		p.pace.heard(time.Now())
		p.heard(e.Text)
	case vxml.Filled:
		trail.Step(reporting.StepFilling, e.Text)
		p.note("field filled", slog.String("field", e.Text))
	case vxml.Thrown:
		trail.Step(reporting.StepEvent, e.Text)
		p.note("event thrown", slog.String("event", e.Text))
	case vxml.Logged:
		trail.Step(reporting.StepLog, e.Text)
	case vxml.Typing:
		trail.Step(reporting.StepKey, e.Text)
	case vxml.Unheard:
		trail.Step(reporting.StepPromptStop, e.Text)
		trail.Show(e.Kind.String(), e.Text)
	default:
		trail.Show(e.Kind.String(), e.Text)
	}
}

// heard tells what was understood.
func (p *phone) heard(text string) {
	keys, pressed := strings.CutPrefix(text, "dtmf: ")
	if !pressed {
		p.call.Trail().Show(vxml.Heard.String(), text)
		return
	}
	p.call.Trail().Step(reporting.StepKeys, keys)
	p.note("dtmf", slog.String("digit", keys))
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
var interpreted = [...]reporting.Step{
	vxml.Fetching: reporting.StepLookup, vxml.Fetched: reporting.StepFetchEnd, vxml.Compiled: reporting.StepCompiled,
	vxml.RootEntered: reporting.StepRoot,
	vxml.Leaving:     reporting.StepGoto, vxml.Called: reporting.StepSubdialog, vxml.Returned: reporting.StepReturn,
	vxml.DialogEntered: reporting.StepFormEntered, vxml.DialogLeft: reporting.StepFormLeft, vxml.Selected: reporting.StepSelected,
	vxml.FilledEntered: reporting.StepFilledEntered, vxml.FilledLeft: reporting.StepFilledLeft,
	vxml.HandlerEntered: reporting.StepHandlerEntered, vxml.HandlerLeft: reporting.StepHandlerLeft,
	vxml.Changed: reporting.StepVariable,
	vxml.Queued:  reporting.StepPrompt, vxml.InputBegun: reporting.StepInputStart, vxml.InputEnded: reporting.StepInputEnd,
}

// did takes a step of the interpreter for the call's trail.
func (p *phone) did(s vxml.Step) {
	if s.Kind == vxml.Changed && !p.service.config.Variables {
		p.call.Trail().Show(recent.Changed, s.Text)
		return
	}
	p.call.Trail().Step(interpreted[s.Kind], s.Text)
}

// inspected tells whether somebody is to be told how variables change.
func (p *phone) inspected() bool {
	config := &p.service.config
	return config.Variables && p.call.Trail().Traces() || config.Inspected != nil && config.Inspected(p.call.ID())
}

// withoutQuery leaves out of an address what may be private in it.
func withoutQuery(url string) string {
	url, _, _ = strings.Cut(url, "?")
	return url
}
