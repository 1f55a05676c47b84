package speech

import (
	"context"
	"io"
	"time"
)

// Attacher is an engine whose audio travels over a connection of its own rather
// than as RTP: gRPC, a WebSocket.
type Attacher interface {
	// Attach begins a session for a call. The session's Media is the zero value. It
	// fails with ErrUnavailable when the engine cannot be had.
	Attach(ctx context.Context, line Line) (Session, error)
}

// Line is a call as an Attacher's session hears it and speaks to it.
type Line interface {
	Party() Party
	// Codec is of the audio both ways: PCMU or PCMA at 8000 Hz.
	Codec() Codec
	// Listen begins to listen to the caller. There may be several Hearings.
	Listen() (Hearing, error)
	// Say begins to play to the caller what is written, in place of what was being
	// played. What was said with a key is kept under it, and known the next time; an
	// empty key keeps nothing.
	Say(key string) (Saying, error)
}

// Party says whose call it is.
type Party struct {
	Call         string // the platform's name for the call
	Tenant       string
	From, To     string // numbers or user names
	FromName     string
	Conversation string // the session's name in the contact centre, a UUID where it is one
}

// Hearing is the caller's audio and keys.
type Hearing interface {
	// Next waits for audio and gives all there is. It fails with io.EOF when the
	// call is over.
	Next(ctx context.Context) (Sound, error)
	// Keys are the DTMF keys that are pressed meanwhile.
	Keys() <-chan byte
	Close()
}

// Sound is some of a caller's audio. Lost is how much went before it because its
// listener was slow.
type Sound struct {
	Audio []byte
	Lost  time.Duration
}

// Saying is audio being played to the caller. Write never blocks: the audio may
// come faster than it is heard.
type Saying interface {
	io.Writer
	// Known tells that all of it is there already: it is not to be written.
	Known() bool
	// End tells that nothing more is written; err, why that is too early, or nil.
	End(err error)
	// Stop silences it at once.
	Stop()
	// Done is closed when it has been heard, or stopped.
	Done() <-chan struct{}
	// Err tells, after Done, why it was not heard to its end; nil if it was, or was
	// stopped.
	Err() error
}
