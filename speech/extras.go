package speech

import (
	"context"
	"time"
)

// What not every engine can do is an interface of its own. A session, or what it
// returns, implements it or does not.

// Steerable is a Speaking that can be held and moved.
type Steerable interface {
	Pause(ctx context.Context) error
	Resume(ctx context.Context) error
	// Control changes how it goes on.
	Control(ctx context.Context, c Control) error
}

// Control is a change to speech under way. Empty fields change nothing.
type Control struct {
	// Jump is how far to go back or forth, in the words of RFC 6787 section 8.4.1:
	// "-15 Words", "+30 Second", "+1 Sentence", or the name of a mark, "Tag intro".
	Jump         string
	Rate, Volume string // as SSML's <prosody> has them
	Voice        string
}

// LexiconStore is a Session that can be taught how words are pronounced.
type LexiconStore interface {
	DefineLexicon(ctx context.Context, l Lexicon) error
}

// Lexicon is a pronunciation lexicon: inline when Content is set, otherwise by
// URI.
type Lexicon struct {
	ID        string // alphanumeric with - and _
	MediaType string // application/pls+xml when empty
	Content   []byte
	URI       string
	Forget    bool // the one of that ID is not to be used any more
}

// Interpreter is a Session that finds the meaning of text as if it had been said.
type Interpreter interface {
	// Interpret holds text against the grammars of r.
	Interpret(ctx context.Context, text string, r Recognition) (Result, error)
}

// Rereader is a Recognizing whose result can be asked for again in other terms.
type Rereader interface {
	// Reread is valid after a result. Zero values leave the terms as they were.
	Reread(ctx context.Context, confidence float64, nbest int) (Result, error)
}

// Recorder is a Session whose server can record the caller.
type Recorder interface {
	Record(ctx context.Context, r RecordRequest) (Recording, error)
}

// RecordRequest says how to record. Zero values leave the server's default.
type RecordRequest struct {
	// URI is where the server shall put the recording; empty lets it choose.
	URI          string
	MediaType    string
	NoInput      time.Duration
	MaxTime      time.Duration
	FinalSilence time.Duration
	Sensitivity  float64
	OnSpeech     bool // the recording begins with speech, not at once
	StartTimers  bool // whether the no-input timer runs from the beginning
	Vendor       map[string]string
}

// Recording is a recording under way.
type Recording interface {
	// Started is closed when the server has heard the start of input.
	Started() <-chan struct{}
	// Done is closed when the recording has ended, by itself or by Stop.
	Done() <-chan struct{}
	// Recorded is valid after Done.
	Recorded() (Recorded, error)
	// StartTimers starts the no-input timer.
	StartTimers(ctx context.Context) error
	// Stop ends it; what was recorded stays.
	Stop(ctx context.Context) error
}

// Recorded is how a recording ended.
type Recorded struct {
	URI      string // empty when there is none
	Size     int64  // octets; 0 when the server did not say
	Duration time.Duration
	NoInput  bool // the caller said nothing
	MaxTime  bool // the limit ended it
}

// Tuner is a Session whose server has parameters, by header name, that hold for
// all requests to a resource that say nothing else.
type Tuner interface {
	SetParams(ctx context.Context, resource string, params map[string]string) error
	// Params tells the parameters that are named, or all that the server likes to.
	Params(ctx context.Context, resource string, names ...string) (map[string]string, error)
}

// Particular is an Engine whose servers are told whose session it is.
type Particular interface {
	// OpenFor is Open for a call.
	OpenFor(ctx context.Context, offer Media, p Particulars) (Session, error)
}

// Particulars are what sets a session apart from the others of its Engine.
type Particulars struct {
	// Call is the name by which logs know the call.
	Call string
	// Description takes the place of the description of sessions that the engine is
	// configured with, where the protocol carries one (Nuance's session.xml).
	Description []byte
	// Witness, when set, hears of every message of the protocol, as its first line
	// reads without version and length. It must not block.
	Witness func(received bool, message string)
}
