package vxml

import (
	"context"
	"strings"
	"time"

	"mcp/vxml/property"
	"mcp/vxml/script"
	"mcp/vxml/ssml"
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

// Marked is a Playback that knows which <mark> was passed.
type Marked interface {
	// Mark returns, after Done, the name of the last mark that was reached, or
	// "", and how long before the end that was (VoiceXML 2.1 section 4).
	Mark() (name string, ago time.Duration)
}

// Prompt is one <prompt>, its expressions evaluated.
type Prompt struct {
	Segments   []Segment // other sessions have the same: not to be changed
	BargeIn    bool
	BargeType  string // "speech" or "hotword"
	Language   string // xml:lang in force
	Properties *property.Set
	text       string // what Text has made
}

// Segment is a piece of a prompt: either speech or a recorded audio clip.
type Segment = ssml.Segment

// Audio is a fetched recording. When a fetch fails the interpreter renders the
// alternate content of <audio> instead, as VoiceXML 2.0 section 4.1.3 says. Only a
// Streamer is given one that still arrives, which the end of the session closes too.
type Audio = ssml.Clip

// Streamer is a Platform that plays recordings while they arrive.
type Streamer interface {
	Streams()
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
	// Conclude says that the no-input timer should have ended the recognition by now.
	// The SpeechResult is then at hand soon: NoInput, or Failed when the recognizer
	// turns out not to work. It does not block.
	Conclude()
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
	Record        bool // what is said, for SpeechResult.Recorded (recordutterance)
	// RecordType is the media type to record in, empty for the platform's own
	// (recordutterancetype).
	RecordType string
	Properties *property.Set
}

// SpeechGrammar is an active grammar of mode voice.
type SpeechGrammar struct {
	// ID is what a result names the grammar by; unique within the session.
	ID        string
	MediaType string  // application/srgs+xml, …
	Content   []byte  // the grammar itself, or nil when only URI is set
	URI       string  // absolute; also the base of an inline grammar
	Weight    float64 // 1 unless the page says otherwise
	// Phrases are at most n of the runs of words that it is made of. It is nil for a
	// grammar that only a recognizer can read.
	Phrases func(n int) []string
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
	// Recorded is what was said, when it was asked for and can be had.
	Recorded *Recorded
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
	// Spellings are set by an engine that knows no grammars: they are the ways to write
	// what it heard, one of which must match a grammar. Nil: the engine has matched.
	Spellings []string
}

// Connection is the telephone connection.
type Connection interface {
	// Digits delivers DTMF as it is pressed: one of 0-9, *, #, A-D each.
	Digits() <-chan Digit
	// HungUp is closed when the far end is gone.
	HungUp() <-chan struct{}
	// Disconnect hangs up; the namelist is what <disconnect> returns.
	Disconnect(ctx context.Context, returned Namelist) error
	// Info describes the connection for session.connection.*.
	Info() ConnectionInfo
}

// Namelist is what a page hands back: plain Go values, and their names in the
// order in which it lists them.
type Namelist struct {
	Names  []string
	Values map[string]any
}

// Digit is one DTMF key press.
type Digit struct{ Key byte }

// Clock is what a platform implements whose time is not the wall's, such as a
// simulator where nobody waits.
type Clock interface {
	// NewTimer makes a timer that is not running.
	NewTimer() Timer
}

// Timer delivers the end of a time, as a time.Timer does.
type Timer interface {
	C() <-chan time.Time
	// Reset starts the timer anew: what it was to deliver before is forgotten.
	Reset(d time.Duration)
	Stop()
}

type wallClock struct{}

func (wallClock) NewTimer() Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return wallTimer{t}
}

type wallTimer struct{ *time.Timer }

func (t wallTimer) C() <-chan time.Time   { return t.Timer.C }
func (t wallTimer) Reset(d time.Duration) { t.Timer.Reset(d) }
func (t wallTimer) Stop()                 { t.Timer.Stop() }

// ConnectionInfo fills session.connection.* (VoiceXML 2.0 section 5.1.4).
type ConnectionInfo struct {
	LocalURI        string
	RemoteURI       string
	Outbound        bool // this side made the call: the originator is the local party
	ProtocolName    string
	ProtocolVersion string
	Protocol        map[string]any // members of session.connection.protocol.NAME
	Redirect        []Redirect     // the last one first; nil: undefined
	AAI             any            // application-to-application information; nil: undefined
	Members         map[string]any // others that a protocol or a platform adds, by name
}

// Redirect is a place to which the call went before it came here.
type Redirect struct {
	URI    string
	PI     bool   // presentation information: the place wants not to be shown
	SI     string // screening information, or empty
	Reason string
}

// Labelled is an object among session variables that reads as a text of its own:
// RFC 5552's requesturi, whose members are parameters, converts to the whole URI.
type Labelled = script.Labelled

// Live is a session variable, or a member of one, that changes while the session
// lasts: it is called each time that a page reads it.
type Live = script.Live

// Event is a VoiceXML event: something thrown, by a page, the interpreter or the
// platform, and caught by name (VoiceXML 2.0 section 5.2). It is an error, so
// that platform code can return one.
type Event struct {
	Name    string // "noinput", "error.badfetch.http.404", …
	Message string // becomes _message
}

func (e *Event) Error() string {
	if e.Message == "" {
		return e.Name
	}
	return e.Name + ": " + e.Message
}

// Matches tells whether a catch of the given event name catches e: the name is
// equal, or is a prefix of it that ends at a dot (section 5.2.4). The empty
// name and "." catch everything.
func (e *Event) Matches(name string) bool { return catches(name, e.Name) }

func catches(name, event string) bool {
	name = strings.TrimSuffix(name, ".")
	rest, ok := strings.CutPrefix(event, name)
	return ok && (name == "" || rest == "" || rest[0] == '.')
}

// What not every platform can do is an interface of its own. A platform that
// does not implement it makes the element throw error.unsupported.

// Recorder records the caller, for <record>.
type Recorder interface {
	// Record begins to record and returns at once. An *Event as its error, such
	// as error.unsupported.format, is thrown.
	Record(ctx context.Context, req RecordRequest) (Recording, error)
}

// RecordRequest says how to record (VoiceXML 2.0 section 2.3.6). A recording contains
// neither the beep before it nor the silence or the key that ends it.
type RecordRequest struct {
	Type         string // media type, or empty for the platform's choice
	Beep         bool   // a tone before the recording begins
	NoInput      time.Duration
	MaxTime      time.Duration
	FinalSilence time.Duration
	Properties   *property.Set
	Extensions   map[string]string // evaluated attributes of Genesys' own: dest, mintime
}

// Recording is a recording under way. It ends by itself when the caller is
// silent, from the start or at the end, or when it is too long.
type Recording interface {
	// Done is closed when the recording has ended, by itself or by Stop.
	Done() <-chan struct{}
	// Take returns, after Done, what was recorded.
	Take() (Recorded, error)
	// Stop ends the recording. It does not block, may be called twice, and Done
	// follows.
	Stop()
}

// Recorded is a finished recording; with no Data the caller said nothing.
type Recorded struct {
	Data      []byte
	MediaType string
	Duration  time.Duration
	MaxTime   bool // the limit ended it
}

// Transferrer calls another party, for <transfer>.
type Transferrer interface {
	// Transfer begins a transfer and returns at once. An *Event as its error,
	// such as error.unsupported.transfer.blind, is thrown.
	Transfer(ctx context.Context, req TransferRequest) (Transfer, error)
}

// TransferKind tells transfers apart (VoiceXML 2.1 section 7).
type TransferKind string

// The kinds of transfer.
const (
	Blind        TransferKind = "blind"        // the caller is sent away
	Consultation TransferKind = "consultation" // the caller is sent away once the other party has answered
	Bridge       TransferKind = "bridge"       // the caller comes back
)

// TransferRequest says whom to call and how (VoiceXML 2.0 section 2.3.7).
type TransferRequest struct {
	Kind           TransferKind
	Destination    string // a URI: tel:, sip:
	AAI            string // application-to-application information
	ConnectTimeout time.Duration
	MaxTime        time.Duration // 0: no limit
	Audio          []Prompt      // played to the caller until the other party answers
	Properties     *property.Set
	// Extensions are evaluated attributes of Genesys' own: method, connectwhen,
	// analysis, detectansweringmachine, signalvar, consult.
	Extensions map[string]string
}

// Transfer is a transfer under way.
type Transfer interface {
	// Done is closed when the transfer has ended, by itself or by Stop.
	Done() <-chan struct{}
	// Take tells, after Done, how it ended; an *Event such as
	// error.connection.baddestination is thrown.
	Take() (Transferred, error)
	// Stop hangs up on the other party. It does not block, may be called twice,
	// and Done follows.
	Stop()
}

// Transferred is how a transfer ended.
type Transferred struct {
	// Result is the value of the form item: busy, noanswer, network_busy,
	// far_end_disconnect, network_disconnect, maxtime_disconnect or unknown, and
	// where calls are analysed far_end_machine or far_end_fax. It is empty when
	// the caller was sent away.
	Result   string
	Duration time.Duration // of the conversation
}

// ObjectHandler runs platform-specific objects, for <object>.
type ObjectHandler interface {
	// Object runs an object and returns its value: plain Go, a map for an
	// object. An *Event as its error is thrown; error.unsupported.objectname
	// says that there is no such object.
	Object(ctx context.Context, req ObjectRequest) (any, error)
}

// ObjectRequest is an <object> with its expressions evaluated (VoiceXML 2.0
// section 2.3.5).
type ObjectRequest struct {
	ClassID  string // as the page has it
	CodeBase string // absolute, as Data and Archive are; Data may be in the cache already (fetchhint)
	CodeType string
	Data     string
	Type     string
	Archive  []string
	Params   []ObjectParam
}

// ObjectParam is a <param> of an object.
type ObjectParam struct {
	Name  string
	Value any
	Ref   bool   // the value is a URI at which the value is found
	Type  string // media type of what a Ref leads to
}

// Messenger exchanges messages with whoever controls the call, for Genesys'
// <send> and <receive>.
type Messenger interface {
	// Send sends a message and returns when it has been taken. An *Event as its
	// error is thrown.
	Send(ctx context.Context, m Message) error
	// Messages delivers what comes from outside, in order.
	Messages() <-chan *Message
}

// Message is a message from or to the world outside the dialogue.
type Message struct {
	ContentType string
	Content     string
	Async       bool   // of one to send: nobody waits for its being taken
	SourceType  string // of one received: how it came, such as "sip"
}

// Discreet is a Platform that logs, traces or records what the caller presses and
// says, and is told while that is private (property com.genesyslab.private).
type Discreet interface {
	// Private says whether what the caller does from now on is to be hidden.
	Private(on bool)
}

// Reasoned is a Platform that knows why the caller has hung up.
type Reasoned interface {
	// Reason is, after HungUp, what becomes _message of the event; "" when
	// nothing is known (RFC 5552 section 2.5).
	Reason() string
}

// PageLogger takes what pages log, beside the session's logger.
type PageLogger interface {
	PageLog(PageLog)
}

// PageLog is one <log>.
type PageLog struct {
	Label string
	Dest  string // gvp:dest, such as calllog, or empty
	Text  string
}
