// Package recent remembers the calls that are up and the last that were: who called
// whom, what happened, and how well the audio was carried. It is what consoles show, and
// what is shown to people who follow a dialogue while it goes on.
// All of it is in memory and bounded, and nothing in it was given in private.
package recent

import (
	"slices"
	"sync"
	"time"

	"mcp/control/reporting"
)

// The bounds. An event is some 50 bytes, 300 at most, a sample 80: 200 calls hold 35 MB
// at the very most, and 1 MB when they are ordinary. A call that is up holds what one
// that is over does, at most a fifth of that if it is remembered briefly.
const (
	maxEnded   = 200  // calls that are over
	maxLive    = 2000 // calls that are up; those beyond are remembered briefly, and not listed
	maxEvents  = 400  // of one call; the first half and the latest are kept
	briefly    = 100  // of one that is remembered briefly, without samples
	usualRoom  = 1536 // octets for the events of a short call
	maxSpare   = 64   // rooms for events that are kept for the next calls
	maxSamples = 600  // of one call; when there are more, every other one is dropped
	maxText    = 300  // of one event
)

// Call is one call.
type Call struct {
	ID          string     `json:"id"`
	SIPCallID   string     `json:"sip_call_id"`
	Session     string     `json:"session,omitempty"` // of the Resource Manager
	From        string     `json:"from"`
	To          string     `json:"to"`
	Application string     `json:"application,omitempty"`
	Begun       time.Time  `json:"begun"`
	Answered    *time.Time `json:"answered,omitempty"`
	Ended       *time.Time `json:"ended,omitempty"` // absent: the call is up
	Cause       string     `json:"cause,omitempty"`
	By          string     `json:"by,omitempty"`
	SIPStatus   int        `json:"sip_status,omitempty"`
	Error       string     `json:"error,omitempty"`
}

// Event is something that happened in a call.
type Event struct {
	Offset int64  `json:"offset_ms"` // since the INVITE
	Name   string `json:"name"`      // a step's, as of package reporting, or a label
	Text   string `json:"text,omitempty"`
	sort   sort
}

// sort is what an event is.
type sort uint8

const (
	step   sort = iota // of package reporting's
	custom             // what an application logs, under a label that it chooses
	shown              // to who follows the call; it is no step
)

func sortOf(k reporting.Kind) sort {
	switch k {
	case reporting.KindCustom:
		return custom
	case reporting.KindShown:
		return shown
	}
	return step
}

func (e Event) is(s reporting.Step) bool { return e.sort == step && e.Name == string(s) }

// Sample is how a leg was doing at a moment.
type Sample struct {
	Offset   int64   `json:"offset_ms"` // since the INVITE
	Leg      string  `json:"leg"`
	Loss     float64 `json:"loss"`      // share of the packets since the sample before, 0 to 1
	Jitter   float64 `json:"jitter_ms"` // of what arrives
	MOS      float64 `json:"mos,omitempty"`
	Received float64 `json:"received"` // packets a second since the sample before
	Sent     float64 `json:"sent"`
}

// Details is a call with all that is remembered of it.
type Details struct {
	Call
	Events  []Event  `json:"events"`
	Missed  int      `json:"missed"` // events that were too many to keep
	Samples []Sample `json:"samples"`
}

// known is a call as it is kept.
type known struct {
	Call
	events    tape
	samples   []Sample
	talks     bool // a dialogue goes on
	brief     bool // little is remembered of it
	forgotten bool // nothing is; events may still come
}

// Calls remembers. It implements reporting.Watcher; its zero value is ready, and it
// is safe for concurrent use.
type Calls struct {
	mu        sync.Mutex
	known     map[string]*known
	ended     []string // the oldest first
	spare     [][]byte
	followers map[*follower]bool
}

// Begun implements reporting.Watcher.
func (c *Calls) Begun(r *reporting.Record) func(*reporting.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil {
		c.known = make(map[string]*known)
	}
	d := &known{Call: Call{
		ID: r.ID, SIPCallID: r.SIPCallID, Session: r.Session, From: r.Parties.Remote, To: r.Parties.Local, Begun: r.StartedAt,
	}, brief: len(c.known)-len(c.ended) >= maxLive}
	d.events = tape{most: maxEvents, first: strip{octets: c.roomLocked()}}
	if d.brief {
		d.events.most = briefly
	}
	c.known[r.ID] = d
	return func(e *reporting.Event) { c.happened(d, e) }
}

// roomLocked is room for a call's events, of one that is forgotten if there is any;
// c.mu is held.
func (c *Calls) roomLocked() []byte {
	last := len(c.spare) - 1
	if last < 0 {
		return make([]byte, 0, usualRoom)
	}
	room := c.spare[last]
	c.spare = c.spare[:last]
	return room
}

// forgetLocked lets go of the call that ended first; c.mu is held.
func (c *Calls) forgetLocked() {
	d := c.known[c.ended[0]]
	room := d.events.first.octets
	d.events, d.talks, d.forgotten = tape{}, false, true
	delete(c.known, c.ended[0])
	c.ended = c.ended[1:]
	if len(c.spare) < maxSpare {
		clear(room)
		c.spare = append(c.spare, room[:0])
	}
}

// happened takes an event of a call, which may come when the call is over.
func (c *Calls) happened(d *known, e *reporting.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if d.forgotten {
		return
	}
	if e.Application != "" {
		d.Application = e.Application
	}
	one := Event{Offset: e.Offset, Name: e.Name, Text: e.Text, sort: sortOf(e.Kind)}
	if one.is(reporting.StepBegun) && d.Answered == nil {
		at := e.At
		d.Answered = &at
	}
	c.tellLocked(d, one, e.At)
	one.Text = shorten(one.Text)
	d.events.add(one)
}

// Ended implements reporting.Watcher.
func (c *Calls) Ended(r *reporting.Record) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d := c.known[r.ID]
	if d == nil {
		return
	}
	if d.talks { // and nobody has said that the dialogue has ended
		c.tellLocked(d, Event{Name: string(reporting.StepAppEnded), Text: string(r.End.Cause)}, r.EndedAt)
	}
	at := r.EndedAt
	d.Ended, d.Cause, d.By, d.SIPStatus, d.Error = &at, string(r.End.Cause), string(r.End.By), r.End.SIPStatus, shorten(r.End.Error)
	d.SIPCallID = r.SIPCallID
	if c.ended = append(c.ended, r.ID); len(c.ended) > maxEnded {
		c.forgetLocked()
	}
}

// Sampled adds how a call's leg does.
func (c *Calls) Sampled(call string, at time.Time, s Sample) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d := c.known[call]
	if d == nil || d.Ended != nil || d.brief {
		return
	}
	s.Offset = at.Sub(d.Begun).Milliseconds()
	if d.samples = append(d.samples, s); len(d.samples) > maxSamples {
		d.samples = thinned(d.samples)
	}
}

// thinned drops every other sample of each leg.
func thinned(samples []Sample) []Sample {
	seen := map[string]int{}
	return slices.DeleteFunc(samples, func(s Sample) bool {
		seen[s.Leg]++
		return seen[s.Leg]%2 == 0
	})
}

// List lists the calls, those that are up first, the latest first of each. Of those that
// are up it leaves the earliest out where they are very many.
func (c *Calls) List() []Call {
	up, _ := c.Live()
	return append(up, c.list(func(d *known) bool { return d.Ended != nil })...)
}

// Live lists the calls that are up, the latest first, and says how many there are with
// those that it leaves out.
func (c *Calls) Live() (calls []Call, total int) {
	calls = c.list(func(d *known) bool { return d.Ended == nil })
	return calls[:min(len(calls), maxLive)], len(calls)
}

// list lists calls, the latest first.
func (c *Calls) list(wanted func(*known) bool) []Call {
	c.mu.Lock()
	out := make([]Call, 0, len(c.known))
	for _, d := range c.known {
		if wanted(d) {
			out = append(out, d.Call)
		}
	}
	c.mu.Unlock()
	slices.SortFunc(out, func(a, b Call) int { return b.Begun.Compare(a.Begun) })
	return out
}

// Find is what is remembered of a call; false: nothing is.
func (c *Calls) Find(id string) (Details, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d := c.known[id]
	if d == nil {
		return Details{}, false
	}
	steps := slices.DeleteFunc(d.events.all(), func(e Event) bool { return e.sort == shown })
	return Details{Call: d.Call, Events: steps, Missed: d.events.missed, Samples: slices.Clone(d.samples)}, true
}

// shorten cuts a text at a character's end.
func shorten(s string) string {
	if len(s) <= maxText {
		return s
	}
	at := maxText
	for at > 0 && s[at]&0xc0 == 0x80 {
		at--
	}
	return s[:at] + "…"
}
