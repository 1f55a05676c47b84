// Package script is the ECMAScript side of VoiceXML: the scope chain
// session, application, document, dialog, anonymous (VoiceXML 2.0 section 5.1),
// expressions, <script>, and the script tags of grammars (SISR 1.0).
//
// It is the only user of the ECMAScript engine. A Machine belongs to one
// session and one goroutine; compiled programs are shared through a Cache.
package script

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dop251/goja"
)

// Limits bound what a page's scripts may use. The zero value means the defaults.
type Limits struct {
	Time  time.Duration // of one expression or script; default 1 s
	Depth int           // of calls; default 400
	Size  int           // of one script's text in bytes; default 1 MB
}

func (l Limits) withDefaults() Limits {
	if l.Time <= 0 {
		l.Time = time.Second
	}
	if l.Depth <= 0 {
		l.Depth = 400
	}
	if l.Size <= 0 {
		l.Size = 1 << 20
	}
	return l
}

// Error is a script that does not compile, throws, or exceeds its limits.
type Error struct {
	Source  Source
	Message string
	// Limit is set when the time or depth limit ended the script.
	Limit bool
}

func (e *Error) Error() string {
	text := e.Source.Text
	if len(text) > 60 {
		text = text[:57] + "..."
	}
	return fmt.Sprintf("%s in %q", e.Message, text)
}

// Source is script text and where it stands.
type Source struct {
	Text string
	Name string // the document's URL
	Line int
}

var errTime = errors.New("the script's time is up")

// Machine runs the scripts of one session.
type Machine struct {
	vm     *goja.Runtime
	cache  *Cache
	limits Limits
	// compiled holds this machine's function objects of the cache's programs.
	compiled map[key]goja.Callable
}

// NewMachine makes a machine that shares compiled programs through cache.
func NewMachine(limits Limits, cache *Cache) *Machine {
	m := &Machine{
		vm:       goja.New(),
		cache:    cache,
		limits:   limits.withDefaults(),
		compiled: make(map[key]goja.Callable),
	}
	m.vm.SetMaxCallStackSize(m.limits.Depth)
	return m
}

// call runs f under the limits.
func (m *Machine) call(ctx context.Context, src Source, f func() (goja.Value, error)) (v goja.Value, err error) {
	// An interrupt that comes too late must not hit the next script, so the
	// watchers are waited for before the flag is cleared.
	watch, end := context.WithTimeoutCause(ctx, m.limits.Time, errTime)
	watched := make(chan struct{})
	stop := context.AfterFunc(watch, func() {
		m.vm.Interrupt(context.Cause(watch))
		close(watched)
	})
	defer func() {
		if !stop() {
			<-watched
		}
		end()
		m.vm.ClearInterrupt()
		if r := recover(); r != nil {
			v, err = nil, &Error{Source: src, Message: fmt.Sprintf("script engine: %v", r)}
		}
	}()
	v, err = f()
	if err != nil {
		return nil, m.fault(src, err)
	}
	return v, nil
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
	case errors.As(err, &exception):
		out.Message = exception.Value().String()
	}
	return out
}
