// Package vxml interprets VoiceXML 2.0 and 2.1 documents. It knows no telephone,
// no media and no speech protocol: it talks to the world through one interface,
// Platform, which a call implements and so does the text simulator in package
// sim. The Example runs a page on that simulator.
//
// An Interpreter holds what all sessions share: the fetcher with its cache,
// compiled pages, scripts and grammars, and the limits. Run runs one session.
//
// A session is the form interpretation algorithm of VoiceXML 2.0 appendix C:
// selectItem, collect and process, around which pages are entered and left.
// Whatever leaves executable content early travels as an error value: an *Event
// that was thrown, or one of the departures of flow.go.
package vxml

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"mcp/vxml/doc"
	"mcp/vxml/fetch"
	"mcp/vxml/property"
	"mcp/vxml/script"
	"mcp/vxml/secrecy"
)

// Options make an Interpreter. The zero value is usable.
type Options struct {
	Fetcher *fetch.Fetcher // default: one with fetch's defaults
	Script  script.Limits
	Limits  Limits
	Logger  *slog.Logger // default: discards
	// Defaults is the platform's defaults page; default: one that does what
	// VoiceXML 2.0 section 5.2.5 says.
	Defaults *Defaults
	// Properties override the platform's default properties, and those of the
	// defaults page.
	Properties map[string]string
}

// Defaults is a document whose properties, links and handlers stand around every
// application: the interpreter context of VoiceXML 2.0 section 5.2.4.
type Defaults struct{ page *doc.Page }

// ReadDefaults reads a defaults page that stands at url.
func ReadDefaults(text []byte, url string) (*Defaults, error) {
	page, err := doc.Compile(text, url)
	if err != nil {
		return nil, fmt.Errorf("defaults page: %w", err)
	}
	return &Defaults{page}, nil
}

//go:embed defaults.vxml
var defaultsPage []byte

func ownDefaults() *Defaults {
	d, err := ReadDefaults(defaultsPage, "builtin:defaults.vxml")
	if err != nil {
		return &Defaults{&doc.Page{}} // only a change of the file could bring this about
	}
	return d
}

// provides tells whether the handler is of the defaults page.
func (d *Defaults) provides(h *doc.Catch) bool { return h.URL == d.page.URL }

// Limits bound what a page may do without the caller's doing anything.
type Limits struct {
	Steps      int // executed elements between two waits for input; default 10000
	Fetches    int // documents entered between two waits for input; default 100
	Events     int // thrown between two waits for input; default 100
	Subdialogs int // nesting; default 16
}

func (l Limits) withDefaults() Limits {
	if l.Steps <= 0 {
		l.Steps = 10000
	}
	if l.Fetches <= 0 {
		l.Fetches = 100
	}
	if l.Events <= 0 {
		l.Events = 100
	}
	if l.Subdialogs <= 0 {
		l.Subdialogs = 16
	}
	return l
}

// Interpreter runs sessions; it is safe for concurrent use.
type Interpreter struct {
	library    *library
	scripts    *script.Cache
	script     script.Limits
	limits     Limits
	defaults   *Defaults
	properties *property.Set
	log        *slog.Logger
}

// New makes an Interpreter.
func New(o Options) *Interpreter {
	if o.Fetcher == nil {
		o.Fetcher = fetch.New(fetch.Config{})
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Defaults == nil {
		o.Defaults = ownDefaults()
	}
	properties := o.Defaults.page.Properties.Within(property.Defaults()).Within(o.Properties)
	properties.All() // which most who ask for one get it from
	return &Interpreter{
		defaults:   o.Defaults,
		library:    newLibrary(o.Fetcher, o.Logger),
		scripts:    script.NewCache(),
		script:     o.Script,
		limits:     o.Limits.withDefaults(),
		properties: properties,
		log:        o.Logger,
	}
}

// Start says what a session begins with.
type Start struct {
	URL string // absolute, or a path; a fragment names the first dialog
	// Request is how the first page is fetched, but for its URL.
	Request fetch.Request
	// Vars become members of the page's session object.
	Vars []Variable
	// Properties stand in for the platform's of the same name.
	Properties map[string]string
	Logger     *slog.Logger // default: the interpreter's
	Trace      func(TraceEvent)
	// Steps, when set, is told what the interpreter does, in more detail than a
	// transcript wants.
	Steps func(Step)
	// Fetched, when set, hears how each request went, on whatever goroutine made it; it
	// must not block.
	Fetched func(fetch.Exchange)
	// Values, when set, says whether Steps is to be told now how variables change.
	Values func() bool
	// Inspect, when set, is given what evaluates an expression where the session
	// is. That may be called from within Trace, and nowhere else.
	Inspect func(eval func(expr string) string)
	// Secrets are kept out of the trace and the log, and are added to with what
	// the caller gives in private; default: the session's own.
	Secrets *secrecy.Secrets
}

// Variable is a member of the page's session object.
type Variable struct {
	Name string     // with dots, it is a member of an object within
	Make func() any // its value; called when a page first reads the outermost object
}

// first is the name of the member of the session object that it is, or is in.
func (v Variable) first() string {
	first, _, _ := strings.Cut(v.Name, ".")
	return first
}

// TraceEvent is something that a reader of a transcript wants to know.
type TraceEvent struct {
	Kind TraceKind
	Text string // what was said, heard, thrown or logged; the field and its value; the URL
}

// TraceKind tells TraceEvents apart.
type TraceKind uint8

// The kinds of TraceEvent.
const (
	Entered TraceKind = iota // a page
	Said
	Unheard // a prompt for a caller who is gone
	Heard
	Filled
	Thrown
	Logged
	Waiting // for the caller, prompts played; the text says for "dtmf", "voice", both, "message", "record" or "transfer"
	Typing  // waiting for another key; the text is those pressed
)

// String is the kind's name in transcripts.
func (k TraceKind) String() string { return traceNames[k] }

var traceNames = [...]string{
	Entered: "entered", Said: "said", Unheard: "unheard", Heard: "heard", Filled: "filled", Thrown: "thrown", Logged: "logged",
	Waiting: "waiting", Typing: "typing",
}

// Step is something that the interpreter does. Addresses are without their query.
type Step struct {
	Kind StepKind
	Text string
}

// StepKind tells Steps apart.
type StepKind uint8

// The kinds of Step, and what their texts are.
const (
	Fetching       StepKind = iota // address
	Fetched                        // address; what went wrong, if anything
	Compiled                       // address of the page
	RootEntered                    // address of the application root
	Leaving                        // address, or #dialog, of a transition
	Called                         // name of the subdialog
	Returned                       // name of the subdialog
	DialogEntered                  // its name
	DialogLeft                     // its name
	Selected                       // name of the form item
	FilledEntered                  // names of the items
	FilledLeft                     // names of the items
	HandlerEntered                 // name of the event
	HandlerLeft                    // name of the event
	Queued                         // what the prompt says
	InputBegun                     // what is waited for: "dtmf", "voice", both
	InputEnded                     // mode of what was understood, or the event
	Changed                        // variable and its value, which may be cut; masked where the caller has given something in private
)

// End tells how a session ended.
type End string

// The ways a session ends.
const (
	Exited       End = "exit"       // <exit>, or nothing was left to do
	Disconnected End = "disconnect" // <disconnect>
	HungUp       End = "hangup"     // the caller hung up
	Errored      End = "error"      // an event that nothing but the platform caught
)

// Outcome is how a session ended and what it returned.
type Outcome struct {
	End      End
	Namelist          // of <exit namelist> or <disconnect namelist>
	Result   any      // of <exit expr>
	ByPage   bool     // an <exit> or <disconnect> of the page's ended it
	Pages    []string // URLs of the pages visited, in order
	Event    *Event   // the last event that was thrown, or nil
}

// Run runs a session from its first page to its end. Its error is the
// context's, or wraps an *Event when the first page cannot be had.
func (in *Interpreter) Run(ctx context.Context, start Start, platform Platform) (Outcome, error) {
	s, err := in.Prepare(ctx, start, platform)
	if err != nil {
		out := Outcome{End: Errored}
		errors.As(err, &out.Event)
		return out, err
	}
	return s.Run(ctx)
}

// Session is a session made ready: its first page is fetched and compiled, and
// nothing of it has been done.
type Session struct {
	session session
	first   *moved
}

// Prepare makes a session ready, so that a caller can be answered only when
// there is something to say. Its error is that of Run for the first page.
func (in *Interpreter) Prepare(ctx context.Context, start Start, platform Platform) (*Session, error) {
	made := in.session(start, platform)
	s := &made.session
	url, fragment, err := s.in.library.resolve("", start.URL)
	if err != nil {
		return nil, fmt.Errorf("start: %w", &Event{Name: "error.badfetch", Message: err.Error()})
	}
	start.Request.URL = url
	if made.first, err = s.load(ctx, doc.Pos{}, start.Request, fragment); err != nil {
		return nil, fmt.Errorf("first page: %w", err)
	}
	return made, nil
}

// Run runs the session to its end; once.
func (s *Session) Run(ctx context.Context) (Outcome, error) {
	defer s.session.ahead.Close()
	defer s.session.queue.close()
	return s.session.outcome(ctx, s.session.converse(ctx, s.first))
}

// witness tells others what happens, but for what is private.
type witness struct {
	log     *slog.Logger
	tracer  func(TraceEvent) // nil: nobody asks
	teller  func(Step)       // likewise
	fetched func(fetch.Exchange)
	values  func() bool // nil: nobody asks for variables
	hushed  bool        // the caller has given something in private since variables were told of
	secrets *secrecy.Secrets
}

// trace tells of what a transcript has.
func (w *witness) trace(e TraceEvent) {
	if w.tracer != nil {
		w.tracer(TraceEvent{e.Kind, w.secrets.Conceal(e.Text)})
	}
}

// step tells of a step.
func (w *witness) step(kind StepKind, text string) {
	if w.teller != nil {
		w.teller(Step{kind, w.secrets.Conceal(text)})
	}
}

// visit tells of a step that goes to an address, which is private behind its path.
func (w *witness) visit(kind StepKind, url string, err error) {
	if w.teller == nil {
		return
	}
	text, _, _ := strings.Cut(url, "?")
	if event := asEvent(err); event != nil {
		text += " " + event.Name
	}
	w.step(kind, text)
}

func (in *Interpreter) witness(start Start) witness {
	w := witness{log: start.Logger, tracer: start.Trace, teller: start.Steps, fetched: start.Fetched, values: start.Values, secrets: start.Secrets}
	if w.secrets == nil {
		w.secrets = &secrecy.Secrets{}
	}
	if w.log == nil {
		w.log = in.log
	}
	w.log = w.secrets.Logger(w.log)
	return w
}

// own is what every session has from its beginning.
type own struct {
	jar   fetch.Jar
	facts facts
	first stage // that is no subdialog's
}

// session is one that has yet to fetch its first page.
func (in *Interpreter) session(start Start, platform Platform) *Session {
	made := &Session{session: session{
		in: in.with(start.Properties), platform: platform,
		machine: script.NewMachine(in.script, in.scripts),
		witness: in.witness(start),
	}}
	s := &made.session
	s.stage, s.facts = &s.first, facts{s, start.Vars}
	if s.clock, _ = platform.(Clock); s.clock == nil {
		s.clock = wallClock{}
	}
	if start.Inspect != nil {
		start.Inspect(s.inspect)
	}
	s.root = s.machine.NewReadOnly("session", &s.facts)
	return made
}

// with is an interpreter whose properties are others where nobody sets them.
func (in *Interpreter) with(properties map[string]string) *Interpreter {
	if len(properties) == 0 {
		return in
	}
	own := *in
	own.properties = in.properties.Within(properties)
	return &own
}

// inspect is the value of an expression, or why it has none.
func (s *session) inspect(expr string) string {
	v, err := s.scope().Eval(context.Background(), script.Source{Text: expr})
	if err != nil {
		return err.Error()
	}
	return s.secrets.Conceal(v.JSON())
}
