// Package recent remembers the calls that are up and the last that were: who called
// whom, what happened, and how well the audio was carried. It is what consoles show.
// All of it is in memory and bounded, and nothing in it was given in private.
package recent

import (
	"slices"
	"sync"
	"time"

	"mcp/control/reporting"
)

// The bounds. An event is some 200 bytes, a sample 80: 200 calls hold 25 MB at the
// very most, and 2 MB when they are ordinary.
const (
	maxEnded    = 200  // calls that are over
	maxLive     = 2000 // calls that are up; those beyond are not followed
	maxEvents   = 400  // of one call; the first half and the latest are kept
	usualEvents = 32   // room for those of a short call
	maxSpare    = 64   // rooms for events that are kept for the next calls
	maxSamples  = 600  // of one call; when there are more, every other one is dropped
	maxText     = 300  // of one event
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
	Name   string `json:"name"`      // a step's, as of package reporting
	Text   string `json:"text,omitempty"`
}

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

// Calls remembers. It implements reporting.Watcher; its zero value is ready, and it
// is safe for concurrent use.
type Calls struct {
	mu     sync.Mutex
	known  map[string]*Details
	ended  []string // the oldest first
	beyond int      // calls that are up and are not followed
	spare  [][]Event
}

// Begun implements reporting.Watcher.
func (c *Calls) Begun(r *reporting.Record) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil {
		c.known = make(map[string]*Details)
	}
	if len(c.known)-len(c.ended) >= maxLive {
		c.beyond++
		return
	}
	c.known[r.ID] = &Details{Call: Call{
		ID: r.ID, SIPCallID: r.SIPCallID, Session: r.Session, From: r.Parties.Remote, To: r.Parties.Local, Begun: r.StartedAt,
	}, Events: c.roomLocked()}
}

// roomLocked is room for a call's events, of one that is forgotten if there is any;
// c.mu is held.
func (c *Calls) roomLocked() []Event {
	last := len(c.spare) - 1
	if last < 0 {
		return make([]Event, 0, usualEvents)
	}
	room := c.spare[last]
	c.spare = c.spare[:last]
	return room
}

// forgetLocked lets go of the call that ended first; c.mu is held.
func (c *Calls) forgetLocked() {
	room := c.known[c.ended[0]].Events
	delete(c.known, c.ended[0])
	c.ended = slices.Delete(c.ended, 0, 1)
	if len(c.spare) < maxSpare {
		clear(room)
		c.spare = append(c.spare, room[:0])
	}
}

// Happened implements reporting.Watcher.
func (c *Calls) Happened(e reporting.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d := c.known[e.Call]
	if d == nil {
		return
	}
	if e.Application != "" {
		d.Application = e.Application
	}
	if e.Name == string(reporting.StepBegun) && d.Answered == nil {
		at := e.At
		d.Answered = &at
	}
	if len(d.Events) >= maxEvents {
		d.Events = slices.Delete(d.Events, maxEvents/2, maxEvents/2+1)
		d.Missed++
	}
	d.Events = append(d.Events, Event{Offset: e.Offset, Name: e.Name, Text: shorten(e.Text)})
}

// Ended implements reporting.Watcher.
func (c *Calls) Ended(r *reporting.Record) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d := c.known[r.ID]
	if d == nil {
		c.beyond = max(0, c.beyond-1)
		return
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
	if d == nil || d.Ended != nil {
		return
	}
	s.Offset = at.Sub(d.Begun).Milliseconds()
	if d.Samples = append(d.Samples, s); len(d.Samples) > maxSamples {
		d.Samples = thinned(d.Samples)
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

// List lists the calls, those that are up first, the latest first of each.
func (c *Calls) List() []Call {
	c.mu.Lock()
	out := make([]Call, 0, len(c.known))
	for _, d := range c.known {
		out = append(out, d.Call)
	}
	c.mu.Unlock()
	slices.SortFunc(out, func(a, b Call) int {
		if (a.Ended == nil) != (b.Ended == nil) {
			if a.Ended == nil {
				return -1
			}
			return 1
		}
		return b.Begun.Compare(a.Begun)
	})
	return out
}

// Live lists the calls that are up, the latest first, and says how many there are with
// those that are not followed.
func (c *Calls) Live() (calls []Call, total int) {
	calls = []Call{}
	c.mu.Lock()
	for _, d := range c.known {
		if d.Ended == nil {
			calls = append(calls, d.Call)
		}
	}
	total = len(calls) + c.beyond
	c.mu.Unlock()
	slices.SortFunc(calls, func(a, b Call) int { return b.Begun.Compare(a.Begun) })
	return calls, total
}

// Find is what is remembered of a call; false: nothing is.
func (c *Calls) Find(id string) (Details, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d := c.known[id]
	if d == nil {
		return Details{}, false
	}
	found := *d
	found.Events, found.Samples = slices.Clone(d.Events), slices.Clone(d.Samples)
	return found, true
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
