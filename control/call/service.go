package call

import (
	"context"
	"errors"
	"fmt"

	"mcp/control/reporting"
	"mcp/control/route"
	"mcp/control/sip"
)

// Service is something a call can be asked to do: run a VoiceXML application,
// obey MSML, play an announcement.
type Service interface {
	Name() string
	// Prepare makes ready before the call is answered, so that a call that
	// cannot be served is refused and not answered (RFC 5552 section 2.2). A
	// *Refusal names the SIP status; any other error refuses with 500.
	Prepare(ctx context.Context, c *Call) (Program, error)
}

// Program is a service made ready for one call.
type Program interface {
	// Application names what runs, for the call's record: a URL, usually.
	Application() string
	// Run serves the call until there is nothing more to do. When the far end
	// hangs up Call.HungUp is closed; ctx ends later, when the grace is over.
	Run(ctx context.Context) Ending
}

// Ending is what a program leaves behind for the call's record.
type Ending struct {
	// Cause is why the program returned; Err, if any, is what went wrong.
	Cause reporting.Cause
	Err   error
	// Dialogue and Speech tell what was done.
	Dialogue *reporting.Dialogue
	Speech   *reporting.Speech
	// Last is what the BYE says, if it is for us to send one.
	Last sip.Content
}

// Selector chooses the service for a call by what its INVITE said. A *Refusal as
// its error names the SIP status.
type Selector interface {
	Select(invite Identity) (Choice, error)
}

// Choice is the service that is to serve a call, and what the call asks of it.
type Choice struct {
	Service Service
	Request route.Request
}

// Table chooses services by the Request-URI.
type Table struct {
	Routes   route.Table
	Services map[string]Service // by the names of package route
}

// Select implements Selector.
func (t Table) Select(invite Identity) (Choice, error) {
	uri := invite.RequestURI()
	request, err := t.Routes.Select(route.URI{User: uri.User, Params: uri.Params})
	var refused *route.Error
	if errors.As(err, &refused) {
		return Choice{}, &Refusal{Status: refused.Status, Reason: refused.Reason, Warning: refused.Warning}
	}
	service := t.Services[request.Service]
	if service == nil {
		return Choice{}, &Refusal{
			Status: 488, Reason: "Not Acceptable Here", Warning: "service " + request.Service + " is not available",
		}
	}
	return Choice{service, request}, nil
}

// Refusal is an error that says with which SIP status a call is refused.
type Refusal struct {
	Status int
	Reason string          // the reason phrase
	Cause  reporting.Cause // for the record; empty: reporting.Refused
	// Warning tells the far end's operator more (RFC 3261 section 20.43, code 399).
	Warning string
	Err     error
}

func (r *Refusal) Error() string {
	switch {
	case r.Err != nil:
		return fmt.Sprintf("%d %s: %v", r.Status, r.Reason, r.Err)
	case r.Warning != "":
		return fmt.Sprintf("%d %s: %s", r.Status, r.Reason, r.Warning)
	}
	return fmt.Sprintf("%d %s", r.Status, r.Reason)
}

// headers are those of the refusing response.
func (r *Refusal) headers() map[string]string {
	if r.Warning == "" {
		return nil
	}
	return map[string]string{"Warning": fmt.Sprintf("399 mcp %q", r.Warning)}
}

func (r *Refusal) Unwrap() error { return r.Err }
