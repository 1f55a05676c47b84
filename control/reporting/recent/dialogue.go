package recent

import (
	"maps"
	"slices"
	"time"

	"mcp/control/reporting"
)

// Line is an event of a dialogue as it is told to who follows the call.
type Line struct {
	Time time.Time `json:"time"`
	Call string    `json:"call"`
	Kind string    `json:"kind"` // said, heard, filled, thrown, …; Begun, Ended, Changed
	Text string    `json:"text,omitempty"`
}

// The kinds of lines that say more than what is to be read.
const (
	Begun   = "begun"   // a dialogue; the text is the address of its first page
	Ended   = "ended"   // how, or why the call did
	Changed = "changed" // a variable: only who has asked for them is told
)

// lines are the kinds that steps have as lines of a dialogue; others are none. What is
// shown and is no step has its kind for a name.
var lines = map[reporting.Step]string{
	reporting.StepAppEnded: Ended, reporting.StepVariable: Changed, reporting.StepFetched: "fetched",
	reporting.StepRoot: "root", reporting.StepGoto: "goes to", reporting.StepSubdialog: "calls", reporting.StepReturn: "returned",
	reporting.StepFormEntered: "dialog", reporting.StepSelected: "item", reporting.StepHandlerEntered: "handler",
	reporting.StepFilling: "filled", reporting.StepEvent: "thrown", reporting.StepLog: "logged",
	reporting.StepKey: "typing", reporting.StepKeys: "heard",
}

// line is an event as a line of the call's dialogue; false: it is none.
func (d *known) line(e Event, at time.Time) (Line, bool) {
	l := Line{Time: at, Call: d.ID, Kind: e.Name, Text: e.Text}
	switch e.sort {
	case custom:
		return l, false
	case step:
		l.Kind = lines[reporting.Step(e.Name)]
	}
	if e.is(reporting.StepKeys) {
		l.Text = "dtmf: " + e.Text
	}
	return l, l.Kind != ""
}

// past is the dialogue that goes on, if one does, as far as it is remembered.
func (d *known) past() (out []Line) {
	if !d.talks {
		return nil
	}
	for _, e := range d.events.all() {
		l, ok := d.line(e, d.Begun.Add(time.Duration(e.Offset)*time.Millisecond))
		if !ok {
			continue
		}
		if l.Kind == Begun {
			out = out[:0] // another, before
		}
		out = append(out, l)
	}
	return out
}

// Dialogue is a call whose dialogue goes on.
type Dialogue struct {
	ID          string    `json:"id"`
	Begun       time.Time `json:"begun"`
	From        string    `json:"from"`
	To          string    `json:"to"`
	Application string    `json:"application"`
	Events      int       `json:"events"` // that are remembered
}

// Dialogues lists the dialogues that go on, the oldest first.
func (c *Calls) Dialogues() []Dialogue {
	c.mu.Lock()
	all := slices.Collect(maps.Values(c.known))
	c.mu.Unlock()
	out := make([]Dialogue, 0, len(all))
	for _, d := range all {
		c.mu.Lock() // for each by itself: calls go on meanwhile
		if past := d.past(); len(past) > 0 {
			out = append(out, Dialogue{
				ID: d.ID, Begun: past[0].Time, From: d.From, To: d.To, Application: past[0].Text, Events: len(past),
			})
		}
		c.mu.Unlock()
	}
	slices.SortFunc(out, func(a, b Dialogue) int { return a.Begun.Compare(b.Begun) })
	return out
}

// Wanted is what is to be followed.
type Wanted struct {
	Call      string // its identifier; empty: all
	Variables bool   // their changes as well
}

// remembered is how many lines one who comes late is told.
const remembered = 100

// follower is one who follows a call, or all.
type follower struct {
	Wanted
	take func(Line)
}

func (f *follower) follows(call string) bool { return f.Call == "" || f.Call == call }

func (f *follower) tell(l Line) {
	if f.Variables || l.Kind != Changed {
		f.take(l)
	}
}

// Follow has take told of a dialogue, or of all: of one first what has been lately, then
// what comes, until leave is called. Take must not block. False: no dialogue of the call
// goes on.
func (c *Calls) Follow(want Wanted, take func(Line)) (leave func(), ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := &follower{want, take}
	if want.Call != "" {
		d := c.known[want.Call]
		if d == nil || !d.talks {
			return nil, false
		}
		past := d.past()
		for _, l := range past[max(0, len(past)-remembered):] {
			f.tell(l)
		}
	}
	if c.followers == nil {
		c.followers = make(map[*follower]bool)
	}
	c.followers[f] = true
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.followers, f)
	}, true
}

// tellLocked tells who follows the call what happens; c.mu is held.
func (c *Calls) tellLocked(d *known, e Event, at time.Time) {
	d.talks = d.talks || e.sort == shown && e.Name == Begun
	if len(c.followers) > 0 && d.talks {
		if l, ok := d.line(e, at); ok {
			for f := range c.followers {
				if f.follows(d.ID) {
					f.tell(l)
				}
			}
		}
	}
	if e.sort == shown && e.Name == Ended || e.is(reporting.StepAppEnded) {
		d.talks = false
	}
}

// Inspected tells whether one who follows the call has asked for variables.
func (c *Calls) Inspected(call string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for f := range c.followers {
		if f.Variables && f.follows(call) {
			return true
		}
	}
	return false
}
