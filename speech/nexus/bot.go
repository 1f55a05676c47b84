// Package nexus lets bots talk with callers, and assistants listen to conversations,
// over a WebSocket. What bots are asked and what they answer is in words of its own;
// package audiohook says it in the public protocol of Genesys AudioHook and Audio
// Connector. Another message format is another Bot.
package nexus

import (
	"context"
	"errors"
	"time"

	"mcp/speech"
)

// Bot opens conversations with a far end in one message format.
type Bot interface {
	// Open opens a conversation. It returns when the far end has agreed to it.
	Open(ctx context.Context, o Opening) (Conversation, error)
}

// Opening says what a conversation is about.
type Opening struct {
	Party     speech.Party
	Language  string            // BCP 47
	Variables map[string]string // for the bot's logic
	APIKey    string            // in place of the one configured
	// Listens tells that the far end has both sides of a conversation and says
	// nothing: an assistant. Otherwise it has the caller's side, and answers.
	Listens bool
}

// Conversation is an open one. Its methods may be called from any goroutine.
type Conversation interface {
	// Send sends G.711 mu-law of the caller, or of caller and agent by turns, octet by
	// octet. lost is how much went before it.
	Send(ctx context.Context, mulaw []byte, lost time.Duration) error
	// Tell tells what happens at this end.
	Tell(ctx context.Context, n Notice) error
	// Events are what happens at the other; the last is an End. The channel must be
	// read until it is closed.
	Events() <-chan Event
	// Close ends it, and returns when the far end has agreed or was not heard of.
	Close(ctx context.Context) error
}

// Notice is something that happens to the caller.
type Notice struct {
	Key      byte // a DTMF key was pressed; 0: none was
	Playback Playback
}

// Playback tells what is heard of the bot.
type Playback uint8

// The moments of a playback.
const (
	Unchanged Playback = iota
	Begun
	Over
)

// Event is an Audio, BargeIn, Answer, Note or End.
type Event interface{ event() }

// Audio is what the bot says, G.711 mu-law.
type Audio []byte

// BargeIn silences what the bot was saying: the caller speaks.
type BargeIn struct{}

// Answer ends a turn of the bot.
type Answer struct {
	Outcome    speech.Outcome // Match, NoMatch or NoInput
	Text       string
	Confidence float64
}

// Note is something that nobody here acts upon, such as a transcript for an agent.
type Note struct {
	Type string
	Data []byte // JSON
}

// End is the end of a conversation.
type End struct {
	// Completed tells that the bot is done; otherwise Err says why it ended, nil if
	// this end closed it.
	Completed bool
	Variables map[string]string // what the bot gives back
	Err       error
}

func (Audio) event()   {}
func (BargeIn) event() {}
func (Answer) event()  {}
func (Note) event()    {}
func (End) event()     {}

// Fault is an error by the class that operators count it by: open_session, protocol or
// no_answer. It wraps speech.ErrUnavailable.
type Fault struct {
	Class string
	Err   error
}

func (f *Fault) Error() string { return "nexus " + f.Class + ": " + f.Err.Error() }

// Unwrap implements errors.Unwrap.
func (f *Fault) Unwrap() []error { return []error{speech.ErrUnavailable, f.Err} }

// noAnswer is the class of a turn that the bot leaves without an answer.
const noAnswer = "no_answer"

// classOf is an error's class.
func classOf(err error) string {
	var f *Fault
	if errors.As(err, &f) {
		return f.Class
	}
	return "protocol"
}
