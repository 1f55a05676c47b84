// Package recording records a caller until it hangs up: the service of record=
// Request-URIs. The part after the equals sign names the recording.
package recording

import (
	"context"
	"errors"
	"strconv"
	"time"

	"mcp/control/call"
	"mcp/control/media/record"
	"mcp/control/media/record/store"
	"mcp/control/reporting"
)

// Recordings begins recordings; *store.Store is one.
type Recordings interface {
	Begin(store.Request) (*store.Recording, error)
}

// Service is the recording service. It implements call.Service.
type Service struct{ recordings Recordings }

// New makes the service.
func New(r Recordings) *Service { return &Service{r} }

// Name implements call.Service.
func (s *Service) Name() string { return "recording" }

// Prepare implements call.Service. The parameter type is the recording's media
// type, maxtime its longest duration in milliseconds.
func (s *Service) Prepare(_ context.Context, c *call.Call) (call.Program, error) {
	p := &program{service: s, call: c}
	params := c.Request().Params
	kind := params["type"]
	if kind == "" {
		kind = "audio/wav"
	}
	var err error
	if p.options.Format, err = record.ParseType(kind); err != nil {
		return nil, &call.Refusal{Status: 400, Reason: "Bad Request", Warning: err.Error()}
	}
	p.options.Format.Rate, p.options.Format.Channels = 8000, 1
	if most := params["maxtime"]; most != "" {
		n, err := strconv.ParseUint(most, 10, 31)
		if err != nil || n == 0 {
			return nil, &call.Refusal{Status: 400, Reason: "Bad Request", Warning: "maxtime=" + most + " is no number of milliseconds"}
		}
		p.options.Limit = time.Duration(n) * time.Millisecond
	}
	return p, nil
}

// program records one call.
type program struct {
	service *Service
	call    *call.Call
	options record.Options
}

// Application implements call.Program.
func (p *program) Application() string { return "record:" + p.call.Request().ID }

// Run implements call.Program.
func (p *program) Run(ctx context.Context) call.Ending {
	r, err := p.service.recordings.Begin(store.Request{
		ID: p.call.Request().ID, Options: p.options,
		Metadata: map[string]any{"call": p.call.ID(), "from": p.call.Invite().RemoteURI()},
	})
	if err != nil {
		return call.Ending{Cause: reporting.PlatformError, Err: err}
	}
	if err = r.Hear(0, p.call.Caller()); err == nil {
		p.call.Log().Info("recording", "recording", r.ID, "file", r.Path)
		select {
		case <-r.Done():
		case <-p.call.HungUp():
		case <-ctx.Done():
		}
	}
	r.Stop()
	<-r.Finished()
	result, failed := r.Result()
	if err = errors.Join(err, failed); err != nil {
		return call.Ending{Cause: reporting.PlatformError, Err: err}
	}
	p.call.Log().Info("recorded", "recording", r.ID, "duration", result.Duration)
	p.call.Trail().Recorded(reporting.Recording{ID: r.ID, URI: r.URI(), Duration: result.Duration.Milliseconds()})
	return call.Ending{Cause: reporting.Completed}
}
