// Package orchestration lets an orchestration session treat a caller: it joins the
// session that the call belongs to, or starts one, and runs in one session of VoiceXML
// what the orchestration session asks for, one treatment after the other.
package orchestration

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"mcp/control/call"
	"mcp/control/ors"
	"mcp/control/reporting"
)

// What a call is asked for with (the parameters of route.ORS).
const (
	paramSession     = "orssessionid" // of a session that something else has started
	paramApplication = "src"          // URL of the SCXML document to start
)

// goodbye bounds how long telling of a call's end may take.
const goodbye = 5 * time.Second

// Pages runs VoiceXML pages on calls.
type Pages interface {
	Open(ctx context.Context, c *call.Call, asked map[string]string) (call.Program, error)
}

// Service implements call.Service.
type Service struct {
	client *ors.Client
	pages  Pages
}

// New makes the service.
func New(client *ors.Client, pages Pages) *Service { return &Service{client, pages} }

// Name implements call.Service.
func (s *Service) Name() string { return "ors" }

// Prepare implements call.Service: a call whose session cannot be had is refused.
func (s *Service) Prepare(ctx context.Context, c *call.Call) (call.Program, error) {
	session, err := s.session(ctx, c)
	if err != nil {
		return nil, err
	}
	page, err := s.pages.Open(ctx, c, map[string]string{"voicexml": ors.PageURL(session)})
	if err != nil {
		if c.Request().Params[paramSession] == "" { // nobody else knows of the session
			err = errors.Join(err, s.client.Terminate(ctx, session))
		}
		return nil, err
	}
	c.Log().Info("orchestration session", "ors_session", session)
	treated := &program{Program: page, service: s, call: c, session: session}
	if l, ok := page.(call.Listener); ok {
		return &listening{treated, l}, nil
	}
	return treated, nil
}

// listening is a program that takes messages of the caller's.
type listening struct {
	*program
	call.Listener
}

// session is the call's own, or a new one.
func (s *Service) session(ctx context.Context, c *call.Call) (string, error) {
	asked := c.Request().Params
	if id := asked[paramSession]; id != "" {
		if err := ors.Name(id); err != nil {
			return "", &call.Refusal{Status: 400, Reason: "Bad Request", Warning: "orssessionid is no session's name", Err: err}
		}
		return id, nil
	}
	if asked[paramApplication] == "" {
		return "", &call.Refusal{Status: 400, Reason: "Bad Request", Warning: "neither orssessionid nor the application of a new orchestration session"}
	}
	id, err := s.client.Start(ctx, asked[paramApplication], url.Values{
		"call": {c.ID()}, "ani": {c.Invite().RemoteURI()}, "dnis": {c.Invite().LocalURI()}, "sip_call_id": {c.Invite().CallID()},
	})
	if err != nil {
		return "", &call.Refusal{Status: 500, Reason: "Server Internal Error", Cause: reporting.ApplicationError, Warning: "the orchestration server cannot be had", Err: err}
	}
	return id, nil
}

// program is the loop of treatments on one call.
type program struct {
	call.Program
	service *Service
	call    *call.Call
	session string
}

// Application implements call.Program: what a call's record says.
func (p *program) Application() string {
	if src := p.call.Request().Params[paramApplication]; src != "" {
		return src
	}
	return fmt.Sprintf("%s:%s", ors.Scheme, p.session)
}

// Run implements call.Program. The session hears of the end, whatever the end was.
func (p *program) Run(ctx context.Context) call.Ending {
	ending := p.Program.Run(ctx)
	cause := ending.Cause
	select {
	case <-p.call.HungUp():
		cause = reporting.HangUp
	default:
	}
	p.ended(context.WithoutCancel(ctx), cause)
	return ending
}

// Abandon implements call.Abandoner.
func (p *program) Abandon() {
	if a, ok := p.Program.(call.Abandoner); ok {
		a.Abandon()
	}
	p.ended(context.Background(), reporting.Cancelled)
}

// ended tells the session of the call's end.
func (p *program) ended(ctx context.Context, cause reporting.Cause) {
	ctx, cancel := context.WithTimeout(ctx, goodbye)
	defer cancel()
	if err := p.service.client.Ended(ctx, p.session, url.Values{"call": {p.call.ID()}, "cause": {string(cause)}}); err != nil {
		p.call.Log().Warn("tell the orchestration session of the call's end", "ors_session", p.session, "error", err)
	}
}
