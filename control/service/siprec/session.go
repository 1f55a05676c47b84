package siprec

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"mcp/control/call"
	"mcp/control/media"
	"mcp/control/reporting"
	"mcp/control/sip"
	"mcp/control/sip/header"
)

// session is a call that is recorded. It implements call.Recording and
// call.Attentive.
type session struct {
	client *Client
	call   *call.Call
	log    *slog.Logger
	stop   context.CancelFunc
	ctx    context.Context // ends when the recording is to
	news   chan struct{}   // the metadata is another

	mu     sync.Mutex // guards what follows
	facts  facts
	silent map[string]bool
	copies []*media.Copy // while a server listens
	heard  heard         // by the server that listens
}

// heard is what a server records.
type heard struct {
	id    string    // of the recording session, a Call-ID
	since time.Time // zero: nothing
}

func newSession(c *Client, recorded *call.Call) *session {
	s := &session{
		client: c, call: recorded, news: make(chan struct{}, 1), silent: map[string]bool{},
		log: recorded.Log().With("recording_server", c.server(recorded.ID())),
	}
	s.ctx, s.stop = context.WithCancel(c.ctx)
	invite, now := recorded.Invite(), time.Now()
	id, err := uuid.Parse(recorded.ID())
	if err != nil {
		id = uuid.New()
	}
	s.facts = facts{
		name: callName{recorded.ID(), invite.CallID()}, session: encodeID(id), streams: [2]string{newID(), newID()},
		sip: header.Values(invite.Headers(), "session-id"), begun: now,
		people: []*person{
			{id: newID(), aor: invite.RemoteURI(), caller: true, since: now},
			{id: newID(), aor: invite.LocalURI(), since: now},
		},
	}
	return s
}

// Stop implements call.Recording.
func (s *session) Stop() {
	s.stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.noteLocked()
}

// noteLocked puts into the call's record what a server has recorded.
func (s *session) noteLocked() {
	if s.heard.since.IsZero() {
		return
	}
	s.call.Trail().Recorded(reporting.Recording{
		ID: s.heard.id, URI: s.client.server(s.call.ID()), Duration: time.Since(s.heard.since).Milliseconds(),
	})
	s.heard = heard{}
}

// Silence implements call.Recording.
func (s *session) Silence(reason string, on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if on {
		s.silent[reason] = true
	} else {
		delete(s.silent, reason)
	}
	s.muteLocked()
}

func (s *session) muteLocked() {
	for _, c := range s.copies {
		if err := c.Mute(len(s.silent) > 0); err != nil {
			s.log.Warn("silence what is recorded", "error", err)
		}
	}
}

// Joined implements call.Attentive.
func (s *session) Joined(p *call.Party) {
	s.mu.Lock()
	s.facts.people = append(s.facts.people, &person{id: newID(), aor: p.URI(), since: p.Since()})
	s.mu.Unlock()
	s.tell()
}

// Left implements call.Attentive.
func (s *session) Left(p *call.Party) {
	s.mu.Lock()
	for _, one := range s.facts.people {
		if one.aor == p.URI() && one.since.Equal(p.Since()) {
			one.until = time.Now()
		}
	}
	s.mu.Unlock()
	s.tell()
}

// tell has the metadata sent anew.
func (s *session) tell() {
	select {
	case s.news <- struct{}{}:
	default:
	}
}

func (s *session) snapshot() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.facts.snapshot()
}

// run calls the server, again and again if need be, until the call is over. It tells
// what became of the first time.
func (s *session) run(first chan<- error) {
	defer s.stop()
	for {
		err := s.attempt(first)
		if s.ctx.Err() != nil {
			return
		}
		if s.client.config.Vital {
			s.log.Error("recording failed: the call is ended", "error", err)
			s.call.HangUp()
			return
		}
		if lasting(err) {
			s.log.Error("recording failed", "error", err)
			return
		}
		s.log.Warn("recording failed: another try follows", "after", s.client.config.Pause, "error", err)
		select {
		case <-time.After(s.client.config.Pause):
		case <-s.ctx.Done():
			return
		}
	}
}

// attempt is one call to the server, from INVITE to BYE.
func (s *session) attempt(first chan<- error) error {
	l, err := s.connect()
	select {
	case first <- err:
	default:
	}
	if err != nil {
		s.client.metrics.ended.WithLabelValues("failed").Inc()
		return err
	}
	s.client.metrics.active.Inc()
	defer s.client.metrics.active.Dec()
	s.log.Info("recording", "recording_call_id", l.dialog.CallID(), "codec", l.codec)
	err = s.follow(l)
	s.hush()
	end := "completed"
	if err != nil && s.ctx.Err() == nil {
		end = "lost"
	}
	s.client.metrics.ended.WithLabelValues(end).Inc()
	return errors.Join(err, l.close())
}

// connect calls the server and begins to send.
func (s *session) connect() (*link, error) {
	l, err := s.newLink()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(s.ctx, s.client.config.Patience, errPatience)
	defer cancel()
	if err := l.invite(ctx); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return nil, errors.Join(err, l.close())
	}
	if err := s.send(l); err != nil {
		return nil, errors.Join(err, l.close())
	}
	return l, nil
}

// send begins to copy the call's audio to the server.
func (s *session) send(l *link) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	said, err := s.call.Media().CopySaid(s.call.Caller(), l.legs[0])
	if err != nil {
		return err
	}
	s.copies = append(s.copies, said)
	heard, err := s.call.Media().CopyHeard(s.call.Caller(), l.legs[1])
	if err != nil {
		return errors.Join(err, s.hushLocked())
	}
	s.copies = append(s.copies, heard)
	s.heard.id, s.heard.since = l.dialog.CallID(), time.Now()
	s.muteLocked()
	return nil
}

// hush ends the copies.
func (s *session) hush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.hushLocked(); err != nil {
		s.log.Warn("end the copies of the call's audio", "error", err)
	}
}

func (s *session) hushLocked() error {
	var errs []error
	for _, c := range s.copies {
		errs = append(errs, c.Close())
	}
	s.copies = nil
	s.noteLocked()
	return errors.Join(errs...)
}

// follow takes what the server says and tells it what is new, until the recording
// or the server ends. The error is why it is not the recording that did.
func (s *session) follow(l *link) error {
	events := l.dialog.Events()
	for {
		var err error
		select {
		case <-s.ctx.Done():
			return nil
		case <-s.news:
			err = s.update(l)
		case ev, ok := <-events:
			if !ok {
				return errGone
			}
			err = s.heed(l, ev)
		}
		switch {
		case errors.Is(err, sip.ErrEnded):
			return errGone
		case err != nil && s.ctx.Err() == nil:
			s.log.Warn("recording session", "error", err)
		}
	}
}

// update tells the server all there is to know (RFC 7866 section 9.1).
func (s *session) update(l *link) error {
	if s.client.config.Plain {
		return nil
	}
	ctx, cancel := context.WithTimeout(s.ctx, s.client.config.Patience)
	defer cancel()
	if err := l.update(ctx); err != nil {
		return fmt.Errorf("update metadata: %w", err)
	}
	return nil
}

func (s *session) heed(l *link, ev sip.Event) error {
	switch ev := ev.(type) {
	case *sip.Reinvite:
		return l.change(s.ctx, ev)
	case sip.Lost:
		return fmt.Errorf("%w: %w", sip.ErrEnded, ev.Err)
	case *sip.Told:
		if err := ev.Accept(); err != nil {
			return err
		}
		if slices.ContainsFunc(ev.Parts, asksForSnapshot) {
			return s.update(l)
		}
		return nil
	}
	return sip.Decline(ev)
}
