// Package voicexml runs VoiceXML applications on calls: it chooses the page,
// hands the call to the interpreter as something to speak to and listen to, and
// turns the interpreter's outcome into the call's ending.
package voicexml

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"mcp/control/call"
	"mcp/control/call/voice"
	"mcp/control/reporting"
	"mcp/control/reporting/recent"
	"mcp/control/service/voicexml/callrec"
	"mcp/control/service/voicexml/pagelog"
	"mcp/control/sip"
	"mcp/vxml"
)

// Config is what an operator can set about applications.
type Config struct {
	// Default is the URL of the application for calls that name none; empty is
	// the built-in application.
	Default string
	// Tell are the session variables that the request for the first page carries.
	Tell []string
	// Speech is what applications speak and listen with.
	Speech voice.Engines
	// Assist names the engine that listens to both sides of every dialogue, to help who
	// has the call; empty: none does, unless the page asks for one.
	Assist string
	// Inspected tells whether who follows a call is to be told how variables change; nil:
	// nobody is.
	Inspected func(call string) bool
	// Variables has the steps of calls tell how variables change, where steps are
	// recorded.
	Variables bool
	// Transfers is how <transfer> calls others.
	Transfers Transfers
	// Recordings keeps those of calls that pages have recorded; nil: there are none.
	Recordings callrec.Recordings
	// Files are those that pages log to; nil: none.
	Files *pagelog.Files
}

// Service is the VoiceXML service. It implements call.Service.
type Service struct {
	config      Config
	page        atomic.Pointer[string] // of calls that name none
	interpreter *vxml.Interpreter
	clips       *voice.Clips
}

// New makes the service.
func New(config Config, interpreter *vxml.Interpreter) *Service {
	s := &Service{config: config, interpreter: interpreter, clips: voice.NewClips()}
	s.SetDefault(config.Default)
	return s
}

// SetDefault changes the page of calls that name none, Config.Default. Calls that are
// up go on with theirs.
func (s *Service) SetDefault(url string) {
	url = cmp.Or(url, BuiltinURL)
	s.page.Store(&url)
}

// Name implements call.Service.
func (s *Service) Name() string { return "voicexml" }

// Prepare implements call.Service: it fetches and compiles the first page, so
// that a call whose page is missing or malformed is refused with 500, as RFC
// 5552 section 2.2 asks.
func (s *Service) Prepare(ctx context.Context, c *call.Call) (call.Program, error) {
	return s.Open(ctx, c, c.Request().Params)
}

// Open makes a page ready on a call, which may be up already; the parameters are
// those of a dialog's Request-URI.
func (s *Service) Open(ctx context.Context, c *call.Call, asked map[string]string) (call.Program, error) {
	p := &program{phone: s.newPhone(c), url: cmp.Or(asked["voicexml"], *s.page.Load())}
	request, err := firstFetch(asked)
	if err != nil {
		return nil, &call.Refusal{Status: 400, Reason: "Bad Request", Warning: err.Error()}
	}
	start := vxml.Start{
		URL: p.url, Request: request, Vars: p.phone.variables(), Properties: properties(c.Overrides()), Logger: p.phone.log, Trace: p.phone.trace,
		Values: p.phone.inspected, Secrets: &p.phone.secrets,
	}
	if c.Trail().Traces() {
		start.Steps, start.Fetched = p.phone.did, p.phone.fetched
	}
	p.phone.call.Trail().Show(recent.Begun, p.url)
	if len(s.config.Tell) > 0 {
		tell(s.config.Tell, tellable(c.Invite(), p.phone.genesys()), &start)
	}
	session, err := s.interpreter.Prepare(ctx, start, p.phone)
	if err != nil {
		p.phone.call.Trail().Show(recent.Ended, string(vxml.Errored))
		return nil, &call.Refusal{
			Status: 500, Reason: "Server Internal Error", Cause: reporting.ApplicationError,
			Warning: err.Error(), Err: fmt.Errorf("application %s: %w", p.url, err),
		}
	}
	p.session = session
	return p, nil
}

// program is an application made ready for one call.
type program struct {
	phone   *phone
	session *vxml.Session
	url     string
}

// Application implements call.Program.
func (p *program) Application() string { return p.url }

// Heard implements call.Listener: an INFO is a message for the page.
func (p *program) Heard(ev sip.Event) bool {
	info, ok := ev.(*sip.Info)
	return ok && p.phone.deliver(info)
}

// Run implements call.Program.
func (p *program) Run(ctx context.Context) call.Ending {
	deaf := p.phone.call.Caller().TakeDigits(p.phone.press)
	stop := p.phone.assisted(ctx)
	p.phone.pace.begin(time.Now())
	outcome, err := p.session.Run(ctx)
	p.phone.step(reporting.StepAppEnded, string(outcome.End))
	stop()
	deaf()
	p.phone.close()
	var last sip.Content
	if outcome.ByPage {
		last = farewell("exit", outcome.Namelist, outcome.Result)
	}
	done := dialogue(outcome, p.phone.secrets.Conceal)
	done.Latency = p.phone.pace.report()
	return call.Ending{
		Last: last, Cause: causes[outcome.End], Err: p.phone.discreet(failure(outcome, err)),
		Dialogue: done, Speech: p.phone.voices.Used.Report(),
	}
}

var causes = map[vxml.End]reporting.Cause{
	vxml.Exited: reporting.Completed, vxml.Disconnected: reporting.Disconnected,
	vxml.Transferring: reporting.Transferred, vxml.HungUp: reporting.HangUp, vxml.Errored: reporting.ApplicationError,
}

// failure is what went wrong, if anything did.
func failure(o vxml.Outcome, err error) error {
	switch {
	case errors.Is(err, context.Canceled):
		return errors.New("the application was stopped: it went on too long after the caller had gone")
	case err != nil:
		return err
	case o.End == vxml.Errored && o.Event != nil:
		return o.Event
	}
	return nil
}

// dialogue is the application's part of the call's record, its texts concealed.
func dialogue(o vxml.Outcome, conceal func(string) string) *reporting.Dialogue {
	d := &reporting.Dialogue{Pages: len(o.Pages)}
	if o.Event != nil {
		d.LastEvent = o.Event.Name
	}
	if o.Result != nil {
		d.Exit = map[string]string{"expr": conceal(fmt.Sprint(o.Result))}
	}
	for name, value := range o.Values {
		if d.Exit == nil {
			d.Exit = map[string]string{}
		}
		d.Exit[name] = conceal(fmt.Sprint(value))
	}
	return d
}

// farewell is what the BYE of a dialogue says that ended by the element named: what
// it returns, each value as JSON, in the encoding of HTML forms (RFC 5552 section 4.2).
func farewell(element string, returned vxml.Namelist, result any) sip.Content {
	var pairs []string
	add := func(name, value string) {
		pairs = append(pairs, url.QueryEscape(name)+"="+url.QueryEscape(value))
	}
	for _, name := range returned.Names {
		add(name, jsonText(returned.Values[name]))
	}
	if result != nil {
		add("__exit", jsonText(result))
	}
	add("__reason", element)
	return sip.Content{
		Type: "application/x-www-form-urlencoded;charset=utf-8", Body: []byte(strings.Join(pairs, "&")),
	}
}

// jsonText is a page's value as JSON; one that JSON has no words for, such as
// undefined or what contains itself, is null.
func jsonText(value any) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(value) != nil {
		return "null"
	}
	return strings.TrimSpace(b.String())
}
