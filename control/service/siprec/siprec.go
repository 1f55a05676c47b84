// Package siprec has calls recorded by somebody else: what a caller says and what
// it hears goes to a recording server, as two streams of a SIP call that the
// platform makes. It is a session recording client (RFC 7866) that tells the server
// about the call (RFC 7865); or it makes the plain call of active recording, which
// tells nothing but who is called.
//
// A call whose server fails goes on, and the server is called again; unless calls
// must be recorded: then they are refused, and end with the server.
package siprec

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"mcp/control/call"
	"mcp/control/sdp"
	"mcp/control/sip"
)

// Config is what an operator can set about recording servers.
type Config struct {
	// Server is whom to call, a SIP URI. {id} in it stands for the call's identifier.
	Server string
	// Plain leaves out what RFC 7866 adds to a call.
	Plain bool
	// Vital refuses calls that cannot be recorded.
	Vital bool
	// Codecs are offered, the caller's before the others.
	Codecs []sdp.Codec
	// Patience bounds the time until the server's answer. 10 s.
	Patience time.Duration
	// Pause is the time after which a server that failed is called again. 10 s.
	Pause time.Duration
}

// Dialler places calls; *sip.Agent is one.
type Dialler interface {
	Invite(ctx context.Context, out sip.Outgoing) (*sip.Dialog, error)
}

// Client has calls recorded. It implements call.Recordings.
type Client struct {
	config  Config
	dialler Dialler
	metrics *metrics
	log     *slog.Logger
	ctx     context.Context // of all sessions
	cancel  context.CancelFunc
	running sync.WaitGroup
}

// New makes a Client. Close must follow.
func New(c Config, d Dialler, log *slog.Logger) *Client {
	if c.Patience <= 0 {
		c.Patience = 10 * time.Second
	}
	if c.Pause <= 0 {
		c.Pause = 10 * time.Second
	}
	n := &Client{config: c, dialler: d, metrics: newMetrics(), log: log}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	return n
}

// Close ends what is still being recorded and waits for it.
func (c *Client) Close() error {
	c.cancel()
	c.running.Wait()
	return nil
}

// Vital implements call.Recordings.
func (c *Client) Vital() bool { return c.config.Vital }

// Begin implements call.Recordings. It waits for the server if the call depends on it.
func (c *Client) Begin(ctx context.Context, recorded *call.Call) (call.Recording, error) {
	if c.ctx.Err() != nil {
		return nil, errors.New("recording client is closed")
	}
	s := newSession(c, recorded)
	first := make(chan error, 1)
	c.running.Go(func() { s.run(first) })
	if !c.config.Vital {
		return s, nil
	}
	select {
	case err := <-first:
		if err != nil {
			return nil, err
		}
		return s, nil
	case <-ctx.Done():
		s.Stop()
		return nil, ctx.Err()
	}
}

// server is whom to call for a call.
func (c *Client) server(id string) string { return strings.ReplaceAll(c.config.Server, "{id}", id) }

// lasting tells whether to call a server again would lead to the same end.
func lasting(err error) bool {
	var refused *sip.RejectedError
	if errors.As(err, &refused) {
		return refused.Status < 500 && refused.Status != 408 && refused.Status != 480 && refused.Status != 486 || refused.Status >= 600
	}
	return errors.Is(err, sdp.ErrNoCommonCodec) || errors.Is(err, sdp.ErrMalformed)
}

// errGone says that a server has hung up.
var errGone = errors.New("recording server hung up")

// errPatience says that a server did not answer in time.
var errPatience = fmt.Errorf("recording server: %w", call.ErrNoAnswer)
