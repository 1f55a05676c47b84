package call

import (
	"context"
	"fmt"

	"mcp/control/reporting"
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
}

// Selector chooses the service for a call by its Request-URI and headers.
type Selector interface {
	Select(c *Call) (Service, error)
}

// Refusal is an error that says with which SIP status a call is refused.
type Refusal struct {
	Status int
	Reason string          // the reason phrase
	Cause  reporting.Cause // for the record; empty: reporting.Refused
	Err    error
}

func (r *Refusal) Error() string {
	if r.Err == nil {
		return fmt.Sprintf("%d %s", r.Status, r.Reason)
	}
	return fmt.Sprintf("%d %s: %v", r.Status, r.Reason, r.Err)
}

func (r *Refusal) Unwrap() error { return r.Err }
