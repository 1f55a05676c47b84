package vxml

import (
	"context"
	"time"
)

// Platform is the world as a VoiceXML session sees it: something that can be
// spoken to, listened to and hung up. A telephone call implements it, and so
// does the text simulator. The interpreter calls it from one goroutine.
type Platform interface {
	Speaker
	Listener
	Connection
}

// Speaker plays prompts.
type Speaker interface {
	// Play begins to play the prompts in order and returns at once. One
	// Playback runs at a time: the interpreter waits for or stops the last one
	// before it starts another.
	Play(ctx context.Context, prompts []Prompt) (Playback, error)
}

// Playback is a queue of prompts being played.
type Playback interface {
	// Done is closed when the last prompt has been played or Stop has taken effect.
	Done() <-chan struct{}
	// Err tells, after Done, why playing failed: an *Event such as
	// error.badfetch or error.noresource, or nil.
	Err() error
	// Stop ends the playing at once (barge-in). It does not block, may be
	// called twice, and Done follows.
	Stop()
}

// Prompt is one <prompt>, its expressions evaluated.
type Prompt struct {
	Segments   []Segment
	BargeIn    bool
	BargeType  string // "speech" or "hotword"
	Language   string // xml:lang in force
	Properties map[string]string
}

// Segment is a piece of a prompt: either speech or a recorded audio clip.
// Exactly one of SSML and Audio is set.
type Segment struct {
	// SSML is a complete SSML 1.0 document (<speak>…</speak>).
	SSML string
	// Text is the plain text of SSML, for logs and the simulator.
	Text string
	// Audio is what <audio> named, already fetched.
	Audio *Audio
}

// Audio is a fetched recording. When a fetch fails the interpreter renders the
// alternate content of <audio> instead, as VoiceXML 2.0 section 4.1.3 says.
type Audio struct {
	URI       string
	MediaType string // as the server said it, parameters included
	Data      []byte
}

// Listener recognizes speech. DTMF is not its concern: digits come from the
// Connection and the interpreter matches them against the DTMF grammars itself.
type Listener interface {
	// Listen begins a recognition against the speech grammars of the request
	// and returns at once. Its no-input timer does not run before StartTimers.
	Listen(ctx context.Context, req ListenRequest) (Listening, error)
}

// Listening is one recognition under way.
type Listening interface {
	// Events delivers at most one SpeechStarted and then exactly one
	// SpeechResult, and is then closed. After Stop it is closed without a result.
	Events() <-chan ListenEvent
	// StartTimers starts the no-input timer: the prompt has been heard.
	StartTimers()
	// Stop abandons the recognition. It does not block and may be called twice.
	Stop()
}

// ListenRequest says what is listened for (VoiceXML 2.0 sections 3 and 6.3.2).
type ListenRequest struct {
	Grammars      []SpeechGrammar
	Language      string
	NoInput       time.Duration // the timeout property
	Complete      time.Duration // completetimeout
	Incomplete    time.Duration // incompletetimeout
	MaxSpeech     time.Duration // maxspeechtimeout
	Confidence    float64       // confidencelevel, 0 to 1
	Sensitivity   float64       // 0 to 1
	SpeedAccuracy float64       // speedvsaccuracy, 0 to 1
	NBest         int           // maxnbest, at least 1
	Hotword       bool
	Properties    map[string]string
}

// SpeechGrammar is an active grammar of mode voice.
type SpeechGrammar struct {
	// ID is what a result names the grammar by; unique within the session.
	ID        string
	MediaType string  // application/srgs+xml, …
	Content   []byte  // the grammar itself, or nil when only URI is set
	URI       string  // absolute; also the base of an inline grammar
	Weight    float64 // 1 unless the page says otherwise
}

// ListenEvent is a SpeechStarted or a SpeechResult.
type ListenEvent interface{ listenEvent() }

// SpeechStarted says that the caller has begun to speak.
type SpeechStarted struct{}

// SpeechResult ends a recognition.
type SpeechResult struct {
	Outcome SpeechOutcome
	// Alternatives, best first; empty unless Outcome is Match (a NoMatch may carry some).
	Alternatives []Alternative
	// Err is set when Outcome is Failed: an *Event such as error.noresource.
	Err error
}

func (SpeechStarted) listenEvent() {}
func (SpeechResult) listenEvent()  {}

// SpeechOutcome tells how a recognition ended.
type SpeechOutcome uint8

// The ways a recognition ends.
const (
	Match SpeechOutcome = iota
	NoMatch
	NoInput
	MaxSpeech
	Failed
)

// Alternative is one entry of the recognizer's N-best list.
type Alternative struct {
	GrammarID      string // SpeechGrammar.ID, or empty when the engine did not say
	Utterance      string
	Confidence     float64 // 0 to 1
	Interpretation string  // the semantic result as the engine gave it: text, or XML of the instance
	Mode           string  // "voice" or "dtmf"
}

// Connection is the telephone connection.
type Connection interface {
	// Digits delivers DTMF as it is pressed: one of 0-9, *, #, A-D each.
	Digits() <-chan Digit
	// HungUp is closed when the far end is gone.
	HungUp() <-chan struct{}
	// Disconnect hangs up; namelist is what <disconnect> was asked to return.
	Disconnect(ctx context.Context, namelist map[string]string) error
	// Info describes the connection for session.connection.*.
	Info() ConnectionInfo
}

// Digit is one DTMF key press.
type Digit struct {
	Key byte
	At  time.Time
}

// ConnectionInfo fills session.connection.* (VoiceXML 2.0 section 5.1.4, RFC 5552 section 2.4).
type ConnectionInfo struct {
	LocalURI        string
	RemoteURI       string
	ProtocolName    string // "sip"
	ProtocolVersion string // "2.0"
	CallID          string
	RequestURI      map[string]string   // parameters of the Request-URI
	Headers         map[string][]string // of the INVITE, names in lower case
}
