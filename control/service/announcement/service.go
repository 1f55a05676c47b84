// Package announcement plays one recording, or a provisioned sequence of them, to
// a caller and hangs up: the announcement service of RFC 4240 section 3.
package announcement

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"mcp/control/call"
	"mcp/control/call/prompt"
	"mcp/control/reporting"
)

// Config is what an operator can set about announcements.
type Config struct {
	// Directory holds the provisioned announcements; empty: there are none.
	Directory string
	// Longest bounds every announcement, those that repeat for ever above all. 1 h.
	Longest time.Duration
}

// Service is the announcement service. It implements call.Service.
type Service struct {
	config  Config
	fetcher prompt.Opener
}

// New makes the service.
func New(config Config, fetcher prompt.Opener) *Service {
	if config.Longest <= 0 {
		config.Longest = time.Hour
	}
	return &Service{config, fetcher}
}

// Name implements call.Service.
func (s *Service) Name() string { return "announcement" }

// Prepare implements call.Service: it gets the recordings, so that a call is
// refused whose announcement cannot be had.
func (s *Service) Prepare(ctx context.Context, c *call.Call) (call.Program, error) {
	order, err := s.read(c.Request().Params)
	if err != nil {
		return nil, err
	}
	p := &program{call: c, order: order, longest: s.config.Longest}
	for _, url := range order.play {
		r, err := prompt.Open(ctx, s.fetcher, url, order.mediaType)
		if err != nil {
			p.Abandon()
			return nil, refuse(url, err)
		}
		p.recordings = append(p.recordings, r)
	}
	return p, nil
}

func refuse(url string, err error) error {
	r := &call.Refusal{
		Status: http.StatusBadRequest, Reason: "Announcement content could not be retrieved",
		Cause: reporting.ApplicationError, Warning: err.Error(), Err: fmt.Errorf("announcement %s: %w", url, err),
	}
	if missing(err) {
		r.Status, r.Reason, r.Warning = http.StatusNotFound, "Announcement content not found", ""
	}
	return r
}

// program plays an announcement to one call.
type program struct {
	call       *call.Call
	order      order
	recordings []*prompt.Recording
	longest    time.Duration
}

// Abandon implements call.Abandoner.
func (p *program) Abandon() {
	for _, r := range p.recordings {
		r.Close()
	}
}

// Application implements call.Program.
func (p *program) Application() string { return p.order.asked }

// Run implements call.Program.
func (p *program) Run(ctx context.Context) call.Ending {
	limit := p.longest
	if p.order.limited && p.order.duration < limit {
		limit = p.order.duration
	}
	ctx, stop := context.WithTimeout(ctx, limit)
	defer stop()
	defer p.Abandon()
	err := p.perform(ctx)
	switch {
	case errors.Is(err, errGone):
		return call.Ending{Cause: reporting.HangUp}
	case errors.Is(err, errContent):
		return call.Ending{Cause: reporting.ApplicationError, Err: err}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), err == nil:
		return call.Ending{Cause: reporting.Completed}
	}
	return call.Ending{Cause: reporting.PlatformError, Err: err}
}

// Reasons for which an announcement is not played to its end.
var (
	errGone    = errors.New("the caller has gone")
	errContent = errors.New("announcement content ends too early")
)

// unheard is why a recording was not played to its end.
func unheard(err error) error {
	if prompt.Spoiled(err) {
		return fmt.Errorf("%w: %w", errContent, err)
	}
	return err
}

func (p *program) perform(ctx context.Context) error {
	for n := 0; p.order.forever || n < p.order.repeat; n++ {
		if n > 0 {
			if err := p.pause(ctx); err != nil {
				return err
			}
		}
		for _, r := range p.recordings {
			if err := p.play(ctx, r); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *program) play(ctx context.Context, r *prompt.Recording) error {
	playing, err := r.Play(p.call)
	if err != nil {
		return fmt.Errorf("play: %w", unheard(err))
	}
	p.call.Log().Info("said", "audio", p.order.asked)
	select {
	case <-playing.Done():
		return unheard(playing.Err())
	case <-p.call.HungUp():
		err = errGone
	case <-ctx.Done():
		err = ctx.Err()
	}
	playing.Stop()
	<-playing.Done()
	return err
}

func (p *program) pause(ctx context.Context) error {
	timer := time.NewTimer(max(p.order.delay, time.Millisecond))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-p.call.HungUp():
		return errGone
	case <-ctx.Done():
		return ctx.Err()
	}
}
