// Package voicexml runs VoiceXML applications on calls: it chooses the page,
// hands the call to the interpreter as something to speak to and listen to, and
// turns the interpreter's outcome into the call's ending.
package voicexml

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"mcp/control/call"
	"mcp/control/reporting"
	"mcp/control/sip"
	"mcp/vxml"
)

// Config is what an operator can set about applications.
type Config struct {
	// Default is the URL of the application for calls that name none; empty is
	// the built-in application.
	Default string
	// Numbers maps the user part of the Request-URI to an application's URL.
	Numbers map[string]string
	// Speech is what applications speak and listen with.
	Speech Speech
}

// Service is the VoiceXML service. It implements call.Service.
type Service struct {
	config      Config
	interpreter *vxml.Interpreter
	clips       *clips
}

// New makes the service.
func New(config Config, interpreter *vxml.Interpreter) *Service {
	if config.Default == "" {
		config.Default = BuiltinURL
	}
	return &Service{config: config, interpreter: interpreter, clips: newClips()}
}

// Name implements call.Service.
func (s *Service) Name() string { return "voicexml" }

// Select implements call.Selector for a platform whose only service this is.
func (s *Service) Select(*call.Call) (call.Service, error) { return s, nil }

// Prepare implements call.Service: it fetches and compiles the first page, so
// that a call whose page is missing or malformed is refused with 500, as RFC
// 5552 section 2.2 asks.
func (s *Service) Prepare(ctx context.Context, c *call.Call) (call.Program, error) {
	uri := c.Invite().RequestURI()
	p := &program{phone: s.newPhone(c), url: s.applicationFor(uri)}
	request, err := firstFetch(uri)
	if err != nil {
		return nil, &call.Refusal{Status: 400, Reason: "Bad Request", Err: err}
	}
	session, err := s.interpreter.Prepare(ctx, vxml.Start{
		URL: p.url, Request: request, Vars: genesys(c.Invite(), c.ID()), Logger: c.Log(), Trace: p.phone.trace,
	}, p.phone)
	if err != nil {
		return nil, &call.Refusal{
			Status: 500, Reason: "Server Internal Error", Cause: reporting.ApplicationError,
			Err: fmt.Errorf("application %s: %w", p.url, err),
		}
	}
	p.session = session
	return p, nil
}

// applicationFor finds the application's URL: the voicexml parameter of the
// dialog service (RFC 5552 section 2.1), the number dialled, the default.
func (s *Service) applicationFor(uri sip.URI) string {
	if strings.HasPrefix(uri.User, "dialog") {
		if url := uri.Params["voicexml"]; url != "" {
			return url
		}
	}
	if url := s.config.Numbers[uri.User]; url != "" {
		return url
	}
	return s.config.Default
}

// program is an application made ready for one call.
type program struct {
	phone   *phone
	session *vxml.Session
	url     string
}

// Application implements call.Program.
func (p *program) Application() string { return p.url }

// Run implements call.Program.
func (p *program) Run(ctx context.Context) call.Ending {
	pumping, stop := context.WithCancel(ctx)
	p.phone.tasks.Go(func() { p.phone.pump(pumping) })
	outcome, err := p.session.Run(ctx)
	stop()
	p.phone.close()
	return call.Ending{
		Cause: causes[outcome.End], Err: failure(outcome, err),
		Dialogue: dialogue(outcome), Speech: p.phone.used.report(),
	}
}

var causes = map[vxml.End]reporting.Cause{
	vxml.Exited: reporting.Completed, vxml.Disconnected: reporting.Disconnected,
	vxml.HungUp: reporting.HangUp, vxml.Errored: reporting.ApplicationError,
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

// dialogue is the application's part of the call's record.
func dialogue(o vxml.Outcome) *reporting.Dialogue {
	d := &reporting.Dialogue{Pages: len(o.Pages)}
	if o.Event != nil {
		d.LastEvent = o.Event.Name
	}
	if o.Result != nil {
		d.Exit = map[string]string{"expr": fmt.Sprint(o.Result)}
	}
	for name, value := range o.Values {
		if d.Exit == nil {
			d.Exit = map[string]string{}
		}
		d.Exit[name] = fmt.Sprint(value)
	}
	return d
}
