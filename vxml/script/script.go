// Package script is the ECMAScript side of VoiceXML: the scope chain
// session, application, document, dialog, anonymous (VoiceXML 2.0 section 5.1),
// expressions, <script>, and the script tags of grammars (SISR 1.0).
//
// It is the only user of the ECMAScript engine. A Machine belongs to one
// session and one goroutine; compiled programs are shared through a Cache.
package script

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/dop251/goja"
	"github.com/dop251/goja/parser"
)

// Limits bound what a page's scripts may use. The zero value means the defaults.
type Limits struct {
	Time  time.Duration // of one expression or script; default 1 s
	Depth int           // of calls; default 400
	Size  int           // of one script's text in bytes; default 1 MB
	// Memory is by how much the heap may grow while one script runs, in bytes;
	// default 128 MiB.
	Memory uint64
	// Work is how much a script may be to parse and compile, which nothing interrupts,
	// in tokens of the usual kind; default 200,000. Expressions and tags of grammars
	// may be 80,000 at most, whatever is set.
	Work int
}

func (l Limits) oversize() string { return fmt.Sprintf("script is larger than %d bytes", l.Size) }

// WithDefaults is the limits with the default where none is set.
func (l Limits) WithDefaults() Limits {
	if l.Time <= 0 {
		l.Time = time.Second
	}
	if l.Depth <= 0 {
		l.Depth = 400
	}
	if l.Size <= 0 {
		l.Size = 1 << 20
	}
	if l.Memory == 0 {
		l.Memory = 128 << 20
	}
	if l.Work <= 0 {
		l.Work = 200_000
	}
	return l
}

// Error is a script that does not compile, throws, or exceeds its limits.
type Error struct {
	Source  Source
	Message string
	// Line is the line of the text, from 1, that it came to; 0: that is not known.
	Line int
	// Inner is where it went wrong, where that is in a function that the text calls: the
	// function and its line.
	Inner string
	// Limit is set when one of the limits ended the script.
	Limit bool
}

func (e *Error) Error() string {
	text := e.Source.Text
	if lines := strings.Split(text, "\n"); e.Line > 0 && e.Line <= len(lines) {
		text = cmp.Or(strings.TrimSpace(lines[e.Line-1]), text)
	}
	if len(text) > 60 {
		text = text[:57] + "..."
	}
	out := fmt.Sprintf("%s in %q", e.Message, text)
	if e.Inner != "" {
		out += " (" + e.Inner + ")"
	}
	return out
}

// locate tells where a script threw: its own line, and that of the function that it was in.
func (e *Error) locate(x *goja.Exception) {
	var frames []goja.StackFrame
	for _, f := range x.Stack() {
		if f.Position().Line > 0 {
			frames = append(frames, f)
		}
	}
	if len(frames) == 0 {
		return
	}
	e.Line = frames[len(frames)-1].Position().Line
	at := frames[0]
	function, url := strings.TrimPrefix(at.FuncName(), "<anonymous>"), at.SrcName()
	if len(frames) == 1 || function == "" && url == "" {
		return
	}
	e.Inner = fmt.Sprintf("line %d of %s", at.Position().Line, cmp.Or(url, "a script"))
	if function != "" {
		e.Inner = function + ", " + e.Inner
	}
}

// Source is script text and where it stands.
type Source struct {
	Text string
	Name string // the URL of a script that is a document of its own
}

// Machine runs the scripts of one session.
type Machine struct {
	vm     *goja.Runtime // nil: nothing has needed the engine
	cache  *Cache
	limits Limits
	// compiled holds this machine's function objects of the cache's programs.
	compiled map[key]goja.Callable
	busy     bool
	guarded  reach
	aged     bool                  // it has what older engines had
	matched  *goja.Object          // by the last regular expression that did
	eval     goja.Value            // the engine's own
	describe goja.Callable         // Object.getOwnPropertyDescriptor
	hidden   map[*goja.Object]bool // from Brief
	vetting  bool                  // numbers have vet
	stopping atomic.Pointer[error]
	implicit bool // a script has been run that may have given objects code of their own
	// lost is set for good when a script could not be stopped: its goroutine
	// still owns the engine's objects, so nothing may touch them any more.
	lost *Error
}

// NewMachine makes a machine that shares compiled programs through cache.
func NewMachine(limits Limits, cache *Cache) *Machine {
	return &Machine{cache: cache, limits: limits.WithDefaults()}
}

// Lost is why the machine runs nothing any more: a script could not be stopped. Nil: it does.
func (m *Machine) Lost() error {
	if m.lost == nil {
		return nil
	}
	return m.lost
}

// engine is the machine's, which is made when it is first needed: many sessions end
// before they have run a script.
func (m *Machine) engine() *goja.Runtime {
	if m.vm == nil {
		m.vm = goja.New()
		m.vm.SetMaxCallStackSize(m.limits.Depth)
		m.vm.SetParserOptions(parser.WithDisableSourceMaps)
	}
	return m.vm
}

func (m *Machine) fault(src Source, err error) error {
	var known *Error
	if errors.As(err, &known) {
		return known
	}
	out := &Error{Source: src, Message: err.Error()}
	var interrupted *goja.InterruptedError
	var overflow *goja.StackOverflowError
	var exception *goja.Exception
	switch {
	case errors.As(err, &interrupted):
		out.Message, out.Limit = fmt.Sprint(interrupted.Value()), true
	case errors.As(err, &overflow):
		out.Message, out.Limit = "calls are nested too deeply", true
	case m.stopping.Load() != nil:
		out.Message, out.Limit = (*m.stopping.Load()).Error(), true
	case errors.As(err, &exception):
		out.Message = exception.Value().String()
		out.locate(exception)
	}
	return out
}
