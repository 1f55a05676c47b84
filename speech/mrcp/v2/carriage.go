// Package v2 carries MRCPv2 (RFC 6787): sessions are SIP dialogs, and their
// messages flow over TCP or TLS connections that sessions may share.
//
// SIP itself is the business of the Dialer that the package is given.
package v2

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"mcp/speech"
	"mcp/speech/mrcp"
	"mcp/speech/mrcp/sdp"
	"mcp/speech/mrcp/wire"
	"mcp/speech/nlsml"
)

// Dialer opens SIP dialogs with speech servers.
type Dialer interface {
	// Dial sends an INVITE and returns when it is answered.
	Dial(ctx context.Context, i Invitation) (Dialog, error)
	// Probe asks with OPTIONS whether a server is there.
	Probe(ctx context.Context, target string) error
}

// Invitation is an INVITE to send.
type Invitation struct {
	Target string // SIP URI
	Offer  []byte // SDP
	// SessionXML goes into the body beside the offer, unless it is empty.
	SessionXML []byte
	// Answer answers the offers of the server's re-INVITEs while the dialog lives;
	// nil means that the offer cannot be accepted. It may be called from any
	// goroutine.
	Answer func(offer []byte) []byte
}

// Dialog is an answered INVITE.
type Dialog interface {
	Answer() []byte
	// Reoffer sends a re-INVITE and returns its answer.
	Reoffer(ctx context.Context, offer []byte) (answer []byte, err error)
	// Bye ends the dialog; it may be called after the far end has.
	Bye(ctx context.Context) error
	// Done is closed when the far end has hung up or is lost.
	Done() <-chan struct{}
}

// Config says how sessions are carried. The zero value shares plain TCP.
type Config struct {
	// OwnConnection gives each session a connection of its own: it is offered as
	// connection:new. Otherwise sessions with the same server share one.
	OwnConnection bool
	// TLS has messages go over TLS (TCP/TLS/MRCPv2). The server's certificate must
	// match the fingerprint of its answer or, where there is none, verify.
	TLS *tls.Config
	// MaxMessage bounds the messages a server may send, in octets; 1 MiB.
	MaxMessage int
	// WriteTimeout bounds how long a server may leave its connection unread; 5 s.
	WriteTimeout time.Duration
	// Lost is how long nothing need be heard of a server's machine to take it for
	// gone; 25 s.
	Lost time.Duration
	// SessionXML is Nuance's description of the session, sent with every INVITE.
	SessionXML []byte
}

// Carriage carries sessions with any number of servers.
type Carriage struct {
	cfg    Config
	dialer Dialer
	log    *slog.Logger
	pool   *pool
}

var _ mrcp.Carriage = (*Carriage)(nil)

// New makes a Carriage.
func New(cfg Config, dialer Dialer, log *slog.Logger) *Carriage {
	if cfg.MaxMessage == 0 {
		cfg.MaxMessage = wire.DefaultMaxMessage
	}
	if cfg.WriteTimeout == 0 {
		cfg.WriteTimeout = 5 * time.Second
	}
	return &Carriage{cfg: cfg, dialer: dialer, log: log, pool: &pool{cfg: cfg, log: log}}
}

// Connections is part of mrcp.Carriage.
func (c *Carriage) Connections() int { return c.pool.size() }

// Traits is part of mrcp.Carriage.
func (c *Carriage) Traits() mrcp.Traits {
	return mrcp.Traits{SSML: wire.TypeSSML, Scale: nlsml.Fraction, Weights: true, Hotword: true}
}

// Probe is part of mrcp.Carriage.
func (c *Carriage) Probe(ctx context.Context, server string) error {
	return c.dialer.Probe(ctx, server)
}

// Open is part of mrcp.Carriage: INVITE, answer, connection.
func (c *Carriage) Open(ctx context.Context, o mrcp.Opening) (mrcp.Link, error) {
	var reserved *conn
	if !c.cfg.OwnConnection {
		reserved = c.pool.reserve(o.Server)
	}
	connection := sdp.ConnectionNew
	if reserved != nil {
		connection = sdp.ConnectionExisting
		defer c.pool.release(reserved)
	}
	l := &link{carriage: c, opening: o, channels: make(map[string]channel),
		ours: offer(o, sessionID(), connection, c.cfg.TLS)}
	dialog, err := c.dialer.Dial(ctx, Invitation{Target: o.Server, Offer: l.ours.Marshal(), SessionXML: c.description(o), Answer: l.answer})
	if err != nil {
		return nil, unavailable(err)
	}
	l.dialog = dialog
	if err := l.settle(ctx, l.ours, dialog.Answer(), reserved); err != nil {
		l.detach(nil)
		bye, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.cfg.WriteTimeout)
		defer cancel()
		return nil, errors.Join(err, dialog.Bye(bye))
	}
	return l, nil
}

// description is that of a session, or of all.
func (c *Carriage) description(o mrcp.Opening) []byte {
	if len(o.Description) > 0 {
		return o.Description
	}
	return c.cfg.SessionXML
}

// unavailable makes a dialer's error one of those that an Engine's user tells
// apart, unless it is one already.
func unavailable(err error) error {
	if errors.Is(err, speech.ErrNoCodec) || errors.Is(err, speech.ErrUnavailable) {
		return err
	}
	return fmt.Errorf("%w: %w", speech.ErrUnavailable, err)
}
