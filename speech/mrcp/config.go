// Package mrcp is an MRCPv2 client (RFC 6787): a speech.Engine whose sessions
// each hold a synthesizer and a recognizer of one speech server.
//
// It carries the control channel, MRCP over TCP, itself. SIP is the business of
// the Dialer it is given, and so is whoever moves the audio: the package says
// where RTP must flow and touches none.
package mrcp

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"mcp/speech/mrcp/wire"
)

// Dialer opens SIP dialogs with speech servers.
type Dialer interface {
	// Dial sends an INVITE with the offer to target, a SIP URI, and returns when
	// it is answered. While the dialog lives, refresh answers the offers of the
	// server's re-INVITEs; nil means that the offer cannot be accepted. It may be
	// called from any goroutine.
	Dial(ctx context.Context, target string, offer []byte, refresh func(offer []byte) (answer []byte)) (Dialog, error)
}

// Dialog is an answered INVITE.
type Dialog interface {
	Answer() []byte
	// Bye ends the dialog; it may be called after the far end has.
	Bye(ctx context.Context) error
	// Done is closed when the far end has hung up or is lost.
	Done() <-chan struct{}
}

// Config says which server to use and how. Only URI has no default.
type Config struct {
	// URI is the speech server's, e.g. sip:mresources@192.0.2.7:5060;transport=tcp.
	URI string
	// ResponseTimeout bounds the wait for the response to any request; 5 s. A
	// connection on which it was exceeded takes no further sessions, because some
	// servers stop reading a connection that carried something they dislike.
	ResponseTimeout time.Duration
	// DialTimeout bounds the set-up of a session: INVITE and TCP connection; 10 s.
	DialTimeout time.Duration
	// ByeTimeout bounds how long the end of a session may take; 5 s.
	ByeTimeout time.Duration
	// OwnConnection gives each session a TCP connection of its own. Otherwise
	// sessions with the same server share one.
	OwnConnection bool
	// SSMLType is the media type of what is spoken, application/ssml+xml. Servers
	// older than RFC 6787 want application/synthesis+ssml.
	SSMLType string
	// MaxMessage bounds the messages a server may send, in octets; 1 MiB.
	MaxMessage int
}

// Validate reports every fault of the configuration.
func (c Config) Validate() error {
	var faults []error
	if !strings.HasPrefix(strings.ToLower(c.URI), "sip:") && !strings.HasPrefix(strings.ToLower(c.URI), "sips:") {
		faults = append(faults, fmt.Errorf("uri %q is no sip uri", c.URI))
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{{"response timeout", c.ResponseTimeout}, {"dial timeout", c.DialTimeout}, {"bye timeout", c.ByeTimeout}} {
		if d.value < 0 {
			faults = append(faults, fmt.Errorf("%s %v is negative", d.name, d.value))
		}
	}
	if c.SSMLType != "" && !strings.Contains(c.SSMLType, "/") {
		faults = append(faults, fmt.Errorf("ssml type %q is no media type", c.SSMLType))
	}
	if c.MaxMessage < 0 {
		faults = append(faults, fmt.Errorf("max message %d is negative", c.MaxMessage))
	}
	return errors.Join(faults...)
}

func (c Config) withDefaults() Config {
	c.ResponseTimeout = orDefault(c.ResponseTimeout, 5*time.Second)
	c.DialTimeout = orDefault(c.DialTimeout, 10*time.Second)
	c.ByeTimeout = orDefault(c.ByeTimeout, 5*time.Second)
	c.SSMLType = orDefault(c.SSMLType, wire.TypeSSML)
	c.MaxMessage = orDefault(c.MaxMessage, wire.DefaultMaxMessage)
	return c
}

func orDefault[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}
