// Package rehearsal tests voice applications with dialogues that are written
// down, a line a time:
//
//	# The caller gets lost once.
//	page: menu.vxml
//	hear: Sales or service?
//	say:  umbrella
//	hear: Sorry
//	dtmf: 2
//	hear: Service
//	end:  exit
//
// page names the application, relative to the file. hear is something that the
// caller must have heard since the last thing that the caller did, in that
// order; never is something that must not be heard in the whole dialogue. filled
// is a form item's value, as in filled: city = "Bonn". end is how the session
// ends: exit, disconnect, hangup, transfer or error. event is the last event that
// was thrown. Everything else is what the caller does, in the words of package
// sim. Blank lines and lines that begin with # are skipped.
package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"mcp/vxml"
	"mcp/vxml/sim"
)

// Result is one rehearsal.
type Result struct {
	Name       string // the file
	Took       time.Duration
	Faults     []error // none: it went as it is written
	Transcript string
}

// Run rehearses a file with an interpreter.
func Run(ctx context.Context, in *vxml.Interpreter, file string) Result {
	began := time.Now()
	r := Result{Name: file}
	text, err := os.ReadFile(file)
	if err != nil {
		r.Faults = []error{fmt.Errorf("read the rehearsal: %w", err)}
		return r
	}
	d, err := read(string(text))
	if err != nil {
		r.Faults = []error{err}
		return r
	}
	d.play(ctx, in, file)
	r.Faults, r.Transcript, r.Took = d.faults, d.transcript.String(), time.Since(began)
	return r
}

// line is a line of a rehearsal.
type line struct {
	number     int
	verb, what string
}

func (l line) String() string { return l.verb + ": " + l.what }

// step is the line in the words of package sim.
func (l line) step() string {
	if l.what == "" {
		return l.verb
	}
	return l.verb + ":" + l.what
}

// dialogue is a rehearsal under way.
type dialogue struct {
	page       string
	rest       []line // still to come, in order
	last       []line // of the end
	never      []line
	said       []string
	filled     map[string]bool
	ended      bool
	faults     []error
	transcript strings.Builder
}

func read(text string) (*dialogue, error) {
	d := &dialogue{filled: make(map[string]bool)}
	for i, raw := range strings.Split(text, "\n") {
		raw = strings.TrimSpace(raw)
		if raw == "" || raw[0] == '#' {
			continue
		}
		verb, what, _ := strings.Cut(raw, ":")
		l := line{i + 1, strings.TrimSpace(verb), strings.TrimSpace(what)}
		switch l.verb {
		case "page":
			d.page = l.what
		case "never":
			d.never = append(d.never, l)
		case "end", "event":
			d.last = append(d.last, l)
		case "hear", "filled":
			d.rest = append(d.rest, l)
		default:
			if !sim.Step(l.step()) {
				return nil, fmt.Errorf("line %d: unknown step %q: it is neither an expectation nor what a caller does", l.number, l.step())
			}
			d.rest = append(d.rest, l)
		}
	}
	if d.page == "" {
		return nil, errors.New(`no line says which page: "page: start.vxml"`)
	}
	return d, nil
}

func (d *dialogue) fault(l line, format string, args ...any) {
	d.faults = append(d.faults, fmt.Errorf("line %d: %s: %s", l.number, l, fmt.Sprintf(format, args...)))
}

func (d *dialogue) play(ctx context.Context, in *vxml.Interpreter, file string) {
	start := d.page
	if u, err := url.Parse(start); err == nil && u.Scheme == "" {
		start = filepath.Join(filepath.Dir(file), start)
	}
	caller := sim.Answering(d.answer, &d.transcript)
	out, err := in.Run(ctx, vxml.Start{URL: start, Trace: func(e vxml.TraceEvent) {
		d.note(e)
		caller.Trace(e)
	}}, caller)
	if err := errors.Join(err, caller.Err()); err != nil {
		d.faults = append(d.faults, err)
		return
	}
	d.expect()
	for _, l := range d.rest {
		d.fault(l, "the session ended before this")
	}
	for _, l := range d.last {
		d.ending(l, out)
	}
}

func (d *dialogue) ending(l line, out vxml.Outcome) {
	got := string(out.End)
	if l.verb == "event" {
		got = "none"
		if out.Event != nil {
			got = out.Event.Name
		}
	}
	if got != l.what {
		d.fault(l, "it was %s", got)
	}
}

// note follows what happens.
func (d *dialogue) note(e vxml.TraceEvent) {
	switch e.Kind {
	case vxml.Said:
		d.said = append(d.said, e.Text)
		for _, l := range d.never {
			if strings.Contains(e.Text, l.what) {
				d.fault(l, "heard %q", e.Text)
			}
		}
	case vxml.Filled:
		d.filled[e.Text] = true
	}
}

// answer is the caller's next step, once what should have been heard before it
// has been looked for.
func (d *dialogue) answer([]string) string {
	d.expect()
	d.said = nil
	if len(d.rest) == 0 {
		return "hangup"
	}
	next := d.rest[0]
	d.rest = d.rest[1:]
	return next.step()
}

// expect looks for what the next lines say was heard or filled.
func (d *dialogue) expect() {
	heard := d.said
	for len(d.rest) > 0 {
		l := d.rest[0]
		switch l.verb {
		case "hear":
			var found bool
			if heard, found = after(heard, l.what); !found {
				d.fault(l, "heard %q", d.said)
			}
		case "filled":
			if !d.filled[l.what] {
				d.fault(l, "it was not filled so")
			}
		default:
			return
		}
		d.rest = d.rest[1:]
	}
}

// after finds text, and returns what was heard after it.
func after(heard []string, text string) ([]string, bool) {
	for i, h := range heard {
		if at := strings.Index(h, text); at >= 0 {
			return append([]string{h[at+len(text):]}, heard[i+1:]...), true
		}
	}
	return heard, false
}
