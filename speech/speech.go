// Package speech is what the platform asks of a speech engine: to synthesize,
// and to recognize. The folders below it hold the engines, each a client of one
// protocol. The package knows no SIP call and no VoiceXML page.
package speech

import (
	"context"
	"errors"
	"net/netip"
	"time"
)

// Engine opens sessions with one speech server, or a group of equal ones.
type Engine interface {
	// Open opens a session whose audio flows as RTP between offer.Addr and the
	// address in the session's Media. It fails with ErrUnavailable when no
	// server takes it and ErrNoCodec when none of the codecs suits.
	Open(ctx context.Context, offer Media) (Session, error)
}

// Errors an Engine's user must tell apart. Others are wrapped text.
var (
	ErrUnavailable = errors.New("speech server unavailable")
	ErrNoCodec     = errors.New("no common audio codec")
	ErrClosed      = errors.New("speech session closed")
	// ErrGrammar, ErrFetch, ErrLanguage and ErrText say what a server found wrong with
	// a request: a grammar it could not load, compile or find the meaning by, a URI it
	// could not fetch, a language it does not speak, a document it could not read.
	ErrGrammar  = errors.New("grammar refused")
	ErrFetch    = errors.New("speech server could not fetch")
	ErrLanguage = errors.New("language not supported")
	ErrText     = errors.New("text to speak refused")
)

// Media is one side's half of a session's RTP.
type Media struct {
	Addr   netip.AddrPort
	Codecs []Codec       // an offer lists them by preference; an answer holds one
	Events int           // payload type of telephone-event (RFC 4733); -1 for none
	Ptime  time.Duration // 0 means 20 ms
}

// Codec is an RTP payload format.
type Codec struct {
	PayloadType uint8
	Name        string // "PCMU", "PCMA", as in RFC 3551
	ClockRate   int    // Hz
}

// Session is an open session with a speech server: one synthesizer and one
// recognizer that share one audio stream. Its methods may be called from any
// goroutine; one Speaking and one Recognizing run at a time.
type Session interface {
	// Media is where the server sends from and receives, and the codec it chose.
	Media() Media
	// Speak begins to synthesize. It returns when the server has accepted.
	Speak(ctx context.Context, u Utterance) (Speaking, error)
	// Recognize begins to recognize. It returns when the server has accepted.
	Recognize(ctx context.Context, r Recognition) (Recognizing, error)
	// Done is closed when the session is over: closed, or lost with its server.
	Done() <-chan struct{}
	// Close stops what runs and returns the server's resources.
	Close(ctx context.Context) error
}

// Utterance is something to say.
type Utterance struct {
	SSML     string // a complete SSML 1.0 document
	Language string // BCP 47; empty leaves it to the document
	Voice    string
	Vendor   map[string]string // Vendor-Specific-Parameters
	// NoBargeIn lets it go on when the recognizer of the session hears the caller.
	// Otherwise the start of input stops it, without anyone's asking.
	NoBargeIn bool
	// Properties are the page's, for engines that know some of them.
	Properties map[string]string
	// Marked, when set, is called with the name of each <mark> that is reached. It
	// must not wait.
	Marked func(mark string)
}

// Speaking is a synthesis under way.
type Speaking interface {
	// Done is closed when the speech has ended or was stopped.
	Done() <-chan struct{}
	// Err tells, after Done, why it failed; nil when it was spoken or stopped.
	Err() error
	// BargeIn stops it because the caller began to speak; Stop stops it for any
	// other reason. Both return when the server has stopped.
	BargeIn(ctx context.Context) error
	Stop(ctx context.Context) error
}

// Recognition is what to listen for. Zero values leave the server's default.
type Recognition struct {
	Grammars      []Grammar
	Language      string
	NoInput       time.Duration
	Complete      time.Duration
	Incomplete    time.Duration
	MaxSpeech     time.Duration
	Confidence    float64 // 0 to 1
	Sensitivity   float64
	SpeedAccuracy float64
	NBest         int
	Hotword       bool
	StartTimers   bool // whether the no-input timer runs from the beginning
	Vendor        map[string]string
	Properties    map[string]string // the page's, for engines that know some of them
}

// Grammar is a grammar to recognize against: inline when Content is set,
// otherwise by URI.
type Grammar struct {
	ID        string // alphanumeric with - and _; unique within the session
	MediaType string
	Content   []byte
	URI       string
	Weight    float64 // 0 and 1 mean unweighted
	// Phrases, when set, are at most n of the runs of words that it is made of: a
	// hint for engines that know no grammars.
	Phrases func(n int) []string
}

// Recognizing is a recognition under way.
type Recognizing interface {
	// Started is closed when the server has heard the start of input.
	Started() <-chan struct{}
	// Done is closed when there is a result, an error, or Stop took effect.
	Done() <-chan struct{}
	// Result is valid after Done.
	Result() (Result, error)
	// StartTimers starts the no-input timer.
	StartTimers(ctx context.Context) error
	// Stop abandons it; Result is then ErrClosed, or why the server did not stop.
	Stop(ctx context.Context) error
}

// Result is how a recognition ended.
type Result struct {
	Outcome      Outcome
	Alternatives []Alternative // best first
}

// Outcome classifies a Result.
type Outcome uint8

// The outcomes of a recognition that did not fail.
const (
	Match Outcome = iota
	NoMatch
	NoInput
	TooMuchSpeech
)

// Alternative is one interpretation in an N-best list.
type Alternative struct {
	GrammarID  string // Grammar.ID or its URI, when the server said which
	Utterance  string // <input>
	Confidence float64
	Instance   string // inner XML or text of <instance>
	Mode       string // "voice" or "dtmf"
	// Transcript tells that the engine knows no grammars: the words are what it
	// heard, and whether they mean something is for its user to find out.
	Transcript bool
}
