package voicexml

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"mcp/control/call"
	"mcp/control/call/progress"
	"mcp/control/media"
	"mcp/control/reporting"
	"mcp/control/sip"
	"mcp/control/sip/header"
	"mcp/vxml"
)

// Transfers is what an operator can set about <transfer>.
type Transfers struct {
	// Gateway is the SIP URI, without a user, that numbers are called through:
	// those of tel: URIs. Empty: they cannot be called.
	Gateway string
	// Redirect lets the audio of bridged parties bypass the platform, where pages
	// do not say otherwise.
	Redirect bool
	// Progress analyses calls of pages that ask for it; nil: none.
	Progress *progress.Lab
}

// referTime bounds how long the other party may take to take the caller over.
const referTime = 32 * time.Second

// transfer is one transfer under way: vxml.Transfer.
type transfer struct {
	phone  *phone
	req    vxml.TransferRequest
	manner manner
	to     string // the destination as a SIP URI, for those that the platform calls itself
	stop   context.CancelFunc
	done   chan struct{}
	result vxml.Transferred // after done
	err    error
}

// manner is how a transfer connects the two, by attributes of Genesys' own.
type manner struct {
	when     moment
	analysed bool
	machines bool // machines are hung up on
}

// moment is when the two hear each other: the attribute connectwhen.
type moment string

// The moments. Without the attribute they hear each other from the answer on, and
// the caller hears the network before unless it hears a recording.
const (
	immediate moment = "immediate" // before the answer, too
	answered  moment = "answered"  // from the answer on
	analysis  moment = "analysis"  // once it is known that the party is wanted
)

// early tells whether the caller hears what comes before the answer.
func (m manner) early(recording bool) bool {
	return m.when == immediate || m.when == "" && !recording
}

// manner reads a transfer's attributes. An analysis is made for connectwhen=analysis,
// too.
func (c Transfers) manner(given map[string]string) (m manner, err error) {
	m.when = moment(given["connectwhen"])
	switch m.when {
	case "", immediate, answered, analysis:
	default:
		return m, &vxml.Event{Name: "error.semantic", Message: fmt.Sprintf("connectwhen %q is none of immediate, answered and analysis", m.when)}
	}
	for name, to := range map[string]*bool{"analysis": &m.analysed, "detectansweringmachine": &m.machines} {
		switch given[name] {
		case "true":
			*to = true
		case "", "false":
		default:
			return m, &vxml.Event{Name: "error.semantic", Message: fmt.Sprintf("%s %q is neither true nor false", name, given[name])}
		}
	}
	m.analysed = m.analysed || m.when == analysis
	if !m.analysed {
		return m, nil
	}
	if err := c.Progress.Check(progress.Options{}); err != nil {
		return m, &vxml.Event{Name: "error.noresource", Message: err.Error()}
	}
	return m, nil
}

// heardError is why a party is given up: what was heard of it.
type heardError struct{ result string }

func (e *heardError) Error() string { return "the party is " + e.result }

// Transfer implements vxml.Transferrer as RFC 5552 section 6 asks.
func (p *phone) Transfer(ctx context.Context, req vxml.TransferRequest) (vxml.Transfer, error) {
	t := &transfer{phone: p, req: req, done: make(chan struct{})}
	var err error
	if t.to, err = p.service.config.Transfers.destination(req); err != nil {
		return nil, err
	}
	if t.manner, err = p.service.config.Transfers.manner(req.Extensions); err != nil {
		return nil, err
	}
	run := t.bridge
	switch req.Kind {
	case vxml.Blind:
		run = t.blind
	case vxml.Consultation:
		run = t.consult
	}
	ctx, t.stop = context.WithCancel(ctx)
	p.note("transfer", slog.Any("type", req.Kind), slog.String("to", req.Destination))
	p.tasks.Go(func() {
		defer close(t.done)
		defer t.stop()
		t.result, t.err = run(ctx)
		p.note("transfer ended", slog.Any("result", t.result.Result), slog.Duration("duration", t.result.Duration), slog.Any("error", t.err))
		p.call.Trail().Transferred(t.entry())
	})
	return t, nil
}

// entry is what the call's record says of the transfer.
func (t *transfer) entry() reporting.Transfer {
	to, _, _ := strings.Cut(t.req.Destination, "?")
	e := reporting.Transfer{
		Kind: string(t.req.Kind), To: t.phone.secrets.Conceal(to),
		Result: t.result.Result, Duration: t.result.Duration.Milliseconds(),
	}
	var event *vxml.Event
	switch {
	case errors.As(t.err, &event):
		e.Result = event.Name
	case t.err == nil && e.Result == "":
		e.Result = "connection.disconnect.transfer"
	}
	return e
}

// destination makes a URI that can be called, with the page's information for the
// other application in it.
func (c Transfers) destination(req vxml.TransferRequest) (string, error) {
	to := strings.TrimSpace(req.Destination)
	scheme, rest, _ := strings.Cut(to, ":")
	switch strings.ToLower(scheme) {
	case "sip", "sips":
		if rest == "" || strings.ContainsAny(rest, " <>\r\n") {
			return "", &vxml.Event{Name: "error.connection.baddestination", Message: fmt.Sprintf("%q is no SIP URI", to)}
		}
	case "tel":
		number, _, _ := strings.Cut(rest, ";")
		if strings.Trim(number, "+0123456789*#().-") != "" || number == "" {
			return "", &vxml.Event{Name: "error.connection.baddestination", Message: fmt.Sprintf("%q is no number", to)}
		}
		if c.Gateway == "" {
			if req.Kind == vxml.Blind {
				break // the far end knows what to do with a number, perhaps
			}
			return "", &vxml.Event{Name: "error.connection.noroute", Message: "no gateway is configured for numbers"}
		}
		number = strings.NewReplacer("(", "", ")", "", ".", "", "-", "", "#", "%23").Replace(number)
		to = "sip:" + number + "@" + strings.TrimPrefix(c.Gateway, "sip:")
	default:
		return "", &vxml.Event{Name: "error.unsupported.uri", Message: fmt.Sprintf("%q cannot be called", to)}
	}
	if req.AAI != "" {
		to = withParameter(to, "aai="+header.Escape(req.AAI))
	}
	if said := header.TextUUI(req.AAI); said != "" && req.Kind == vxml.Blind {
		to = withHeader(to, header.UUIHeader+"="+header.Escape(said))
	}
	return to, nil
}

// withHeader puts a header behind those that a URI has: whoever is sent there says it
// there (RFC 7433 section 4.1).
func withHeader(uri, pair string) string {
	if strings.LastIndexByte(uri, '?') > strings.LastIndexByte(uri, '@') {
		return uri + "&" + pair
	}
	return uri + "?" + pair
}

// withParameter puts a parameter before the headers of a URI, if it has any.
func withParameter(uri, param string) string {
	if at := strings.LastIndexByte(uri, '?'); at > strings.LastIndexByte(uri, '@') {
		return uri[:at] + ";" + param + uri[at:]
	}
	return uri + ";" + param
}

// Done implements vxml.Transfer.
func (t *transfer) Done() <-chan struct{} { return t.done }

// Take implements vxml.Transfer.
func (t *transfer) Take() (vxml.Transferred, error) { return t.result, t.err }

// Stop implements vxml.Transfer.
func (t *transfer) Stop() { t.stop() }

// blind sends the caller away, and learns no more of it.
func (t *transfer) blind(ctx context.Context) (vxml.Transferred, error) {
	if _, err := t.phone.call.Refer(ctx, t.to, nil); err != nil {
		return t.failed(err)
	}
	return vxml.Transferred{}, nil
}

// consult sends the caller away once the other party has answered.
func (t *transfer) consult(ctx context.Context) (vxml.Transferred, error) {
	party, err := t.dial(ctx, false)
	if err != nil {
		return t.failed(err)
	}
	defer party.leave()
	ctx, cancel := context.WithTimeout(ctx, referTime)
	defer cancel()
	sent, err := t.phone.call.Refer(ctx, "", party.Party)
	if err != nil {
		return vxml.Transferred{}, &vxml.Event{Name: "error.unsupported.transfer.consultation", Message: err.Error()}
	}
	note, err := sent.Wait(ctx)
	if err != nil || note.Status >= 300 {
		t.phone.log.Warn("the caller was not taken over", "status", note.Status, "error", err)
		return vxml.Transferred{Result: "unknown"}, nil
	}
	return vxml.Transferred{}, nil
}

// bridge lets caller and party talk until one of them, the page or the time ends it.
func (t *transfer) bridge(ctx context.Context) (vxml.Transferred, error) {
	party, err := t.dial(ctx, true)
	if err != nil {
		return t.failed(err)
	}
	defer party.leave()
	if err := party.meet(ctx); err != nil {
		return vxml.Transferred{}, &vxml.Event{Name: "error.connection", Message: err.Error()}
	}
	var limit <-chan time.Time
	if t.req.MaxTime > 0 {
		timer := time.NewTimer(t.req.MaxTime)
		defer timer.Stop()
		limit = timer.C
	}
	result := party.outlast(ctx, limit)
	return vxml.Transferred{Result: result, Duration: time.Since(party.Since())}, nil
}

// failed is the value of the form item, or the event, of an attempt that failed
// (RFC 5552 sections 6.1 to 6.3).
func (t *transfer) failed(err error) (vxml.Transferred, error) {
	var refused *sip.RejectedError
	var unknown *net.DNSError
	var heard *heardError
	switch {
	case errors.As(err, &heard):
		return vxml.Transferred{Result: heard.result}, nil
	case errors.Is(err, context.Canceled):
		return vxml.Transferred{Result: "near_end_disconnect"}, nil
	case errors.Is(err, call.ErrNoAnswer):
		return vxml.Transferred{Result: "noanswer"}, nil
	case errors.As(err, &unknown):
		return vxml.Transferred{}, &vxml.Event{Name: "error.connection.noroute", Message: err.Error()}
	case errors.Is(err, media.ErrClosed), !errors.As(err, &refused):
		t.phone.log.Warn("transfer failed", "error", err)
		return vxml.Transferred{Result: "network_busy"}, nil
	}
	if event := t.refusals()[refused.Status]; event != "" {
		return vxml.Transferred{}, &vxml.Event{Name: event, Message: err.Error()}
	}
	switch refused.Status {
	case 408:
		return vxml.Transferred{Result: "noanswer"}, nil
	case 486, 600:
		return vxml.Transferred{Result: "busy"}, nil
	}
	return vxml.Transferred{Result: "unknown"}, nil
}

// refusals are the statuses that throw an event.
func (t *transfer) refusals() map[int]string {
	return map[int]string{
		401: "error.connection.noauthorization",
		404: "error.connection.baddestination",
		405: "error.unsupported.transfer." + string(t.req.Kind),
		407: "error.connection.noauthorization",
		503: "error.connection.noresource",
	}
}
