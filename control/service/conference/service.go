// Package conference lets callers of one conference URI hear each other: the
// conference service of RFC 4240 section 5. The first caller begins a conference,
// the last to leave ends it.
package conference

import (
	"context"
	"errors"
	"sync"

	"mcp/control/call"
	"mcp/control/media/conference"
	"mcp/control/reporting"
)

// Service is the conference service. It implements call.Service.
type Service struct {
	bridge  *conference.Bridge
	options conference.Options

	mu   sync.Mutex // guards what follows
	held map[string]int
}

// New makes the service. Conferences that it begins have the options.
func New(bridge *conference.Bridge, options conference.Options) *Service {
	return &Service{bridge: bridge, options: options, held: map[string]int{}}
}

// Name implements call.Service.
func (s *Service) Name() string { return "conference" }

// Prepare implements call.Service: it holds the conference, so that it is there
// when the caller is.
func (s *Service) Prepare(_ context.Context, c *call.Call) (call.Program, error) {
	return &program{service: s, call: c, name: c.Request().ID}, nil
}

// hold finds or begins a conference that stays until drop.
func (s *Service) hold(name string) (*conference.Conference, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.bridge.Find(name)
	if found == nil {
		begun, err := s.bridge.Open(name, s.options)
		if err != nil {
			return nil, err
		}
		found, s.held[name] = begun, 0
	}
	if _, ours := s.held[name]; ours {
		s.held[name]++
	}
	return found, nil
}

// drop ends a conference that this service began when nobody holds it any more.
// Others' conferences stay.
func (s *Service) drop(c *conference.Conference) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	left, ours := s.held[c.Name()]
	if !ours {
		return nil
	}
	if left > 1 || len(c.Members()) > 0 {
		s.held[c.Name()] = max(left-1, 0)
		return nil
	}
	delete(s.held, c.Name())
	return c.Close()
}

// program is one caller's part in a conference.
type program struct {
	service *Service
	call    *call.Call
	name    string
}

// Application implements call.Program.
func (p *program) Application() string { return "conf:" + p.name }

// Run implements call.Program: it ends when the caller hangs up, or somebody else
// ends the conference.
func (p *program) Run(ctx context.Context) call.Ending {
	c, err := p.service.hold(p.name)
	if err != nil {
		return call.Ending{Cause: reporting.PlatformError, Err: err}
	}
	id := "conn:" + p.call.Tag()
	err = c.Join(p.call.Caller(), conference.Member{ID: id})
	if errors.Is(err, conference.ErrFull) {
		p.call.Log().Warn("conference is full", "conference", p.name)
	}
	if err == nil {
		p.call.Log().Info("joined", "conference", p.name, "members", len(c.Members()))
		select {
		case <-p.call.HungUp():
		case <-ctx.Done():
		}
		if err = c.Leave(id); errors.Is(err, conference.ErrMember) {
			err = nil // the conference was ended
		}
	}
	if err = errors.Join(err, p.service.drop(c)); err != nil {
		return call.Ending{Cause: reporting.PlatformError, Err: err}
	}
	return call.Ending{Cause: reporting.Completed}
}
