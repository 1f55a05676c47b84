package audiohook

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"mcp/speech/nexus"
)

const (
	// redial is the wait after the first attempt to connect again; it doubles.
	redial = 100 * time.Millisecond
	// noticesKept is how many notices wait for the connection.
	noticesKept = 64
)

// loss is a connection that is gone while its conversation is not: another session
// continues it, and says so.
type loss struct {
	on      bool
	notices []nexus.Notice // to be told when there is a connection again
}

// connected is the current session; up, whether there is a connection.
func (c *conversation) connected() (s *session, up bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.current, !c.loss.on
}

// keep keeps a notice for the next session.
func (c *conversation) keep(n nexus.Notice) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.loss.notices) < noticesKept {
		c.loss.notices = append(c.loss.notices, n)
	}
	return nil
}

// channels is how many sides are sent.
func (c *conversation) channels() int {
	if c.opening.Listens {
		return 2
	}
	return 1
}

// resume opens another session in place of one whose connection is lost, trying again
// until OpenTimeout. False: it was ended on purpose, cannot be had again, or is lost
// once more before the far end has shown that it is there.
func (c *conversation) resume(old *session, why error) bool {
	var wrong *ProtocolError
	switch {
	case errors.As(why, &wrong), c.ctx.Err() != nil, old.isClosing(), old.failure() != nil, old.resumed && !old.proven():
		return false
	}
	c.mu.Lock()
	c.loss.on = true
	c.mu.Unlock()
	old.hangUp()
	ctx, cancel := context.WithTimeout(c.ctx, c.client.config.OpenTimeout)
	defer cancel()
	for wait := redial; ; wait *= 2 {
		s, err := c.client.dial(ctx, c, old)
		if err == nil {
			c.client.log.Info("conversation resumed", "lost", why, "from", old.id, "to", s.id, slog.Group("conversation", "id", c.id))
			c.takeUp(ctx, old, s)
			return true
		}
		c.client.log.Debug("resume", slog.Group("conversation", "id", c.id), "error", err)
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return false
		}
	}
}

// takeUp goes on with another session: it is told what was missed meanwhile. Errors
// are its reader's to find.
func (c *conversation) takeUp(ctx context.Context, old, s *session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.resumed = true
	if err := s.missed(ctx, old.sentTo()); err == nil {
		for _, n := range c.loss.notices {
			_ = s.tell(ctx, n)
		}
	}
	c.current, c.loss = s, loss{}
}
