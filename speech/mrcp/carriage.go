package mrcp

import (
	"context"

	"mcp/speech"
	"mcp/speech/mrcp/wire"
	"mcp/speech/nlsml"
)

// Carriage takes messages to servers and back: MRCPv2 in channels over TCP that
// SIP sets up, or MRCPv1 inside RTSP. All that the versions share is above it.
type Carriage interface {
	// Open signals a session with one server. A failure is speech.ErrNoCodec,
	// when none of the codecs suits, or else speech.ErrUnavailable.
	Open(ctx context.Context, o Opening) (Link, error)
	// Probe asks whether a server is there, without opening a session.
	Probe(ctx context.Context, server string) error
	// Connections is how many connections to servers are open.
	Connections() int
	// Traits are what the protocol can and cannot do.
	Traits() Traits
}

// Opening is a session to open.
type Opening struct {
	Server    string // the server's URI
	Media     speech.Media
	Resources []string // such as wire.Synthesizer, in the order to signal them in
	Receiver  Receiver
	// Description takes the place of the description of sessions that the carriage is
	// configured with; empty does not.
	Description []byte
}

// Receiver hears what comes over a Link. It is called from the link's goroutines,
// from before Open has returned, and must not wait.
type Receiver interface {
	Receive(m *wire.Message)
	// Lost tells that the link cannot be used any more.
	Lost(err error)
}

// Link is an open session, as far as signalling goes.
type Link interface {
	Channels
	// Media is where the server's audio is.
	Media() speech.Media
	// Alter makes the session one of these resources. It may keep one that the
	// server is not known to be able to take back by itself, and returns what the
	// session has then.
	Alter(ctx context.Context, resources []string) ([]string, error)
	// Done is closed when the server has ended the session.
	Done() <-chan struct{}
	// Close ends the session and returns its resources.
	Close(ctx context.Context) error
}

// Channels are what a session's messages go through.
type Channels interface {
	// Send queues a message for a resource. It does not wait.
	Send(resource string, m *wire.Message)
	// Shun keeps further sessions off the connections that the messages take: some
	// servers stop reading one that carried something they dislike. Sessions that
	// are on it find out for themselves.
	Shun()
}

// Traits tell the versions of the protocol apart, where a client must.
type Traits struct {
	// SSML is the media type of what is spoken.
	SSML string
	// Scale is the scale of the confidences in results.
	Scale nlsml.Scale
	// VendorApart says that Vendor-Specific-Parameters are for SET-PARAMS alone.
	VendorApart bool
	// Weights says that grammars can be given weights.
	Weights bool
	// Hotword says that a recognizer can be told to ignore all but its grammars.
	Hotword bool
}
