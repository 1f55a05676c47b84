// Package live lets people on the machine follow dialogues while they go on: the
// platform serves them on a Unix socket that only its own user may open, and
// "mcp vxml trace" reads there.
//
// The socket speaks HTTP. GET /calls lists the calls as JSON; GET /trace?call=ID
// streams the events of one, or without ID of all, as a JSON object a line: first
// the last few that have been, then those that come; with variables=true those of
// variables that change as well. Nobody who follows slows a
// call down: who cannot keep up misses events, and is told so. What a caller
// gave in private is not there (com.genesyslab.private).
package live

import (
	"slices"
	"sync"
	"time"
)

// Event is something that happened in a dialogue.
type Event struct {
	Time time.Time `json:"time"`
	Call string    `json:"call"`
	Kind string    `json:"kind"` // said, heard, filled, thrown, …; begun, ended, missed; Changed
	Text string    `json:"text,omitempty"`
}

// Changed is the kind of events that tell of a variable's value: only who has asked for
// them is told.
const Changed = "changed"

// Call is a call whose dialogue goes on.
type Call struct {
	ID          string    `json:"id"`
	Begun       time.Time `json:"begun"`
	From        string    `json:"from"`
	To          string    `json:"to"`
	Application string    `json:"application"`
	Events      int       `json:"events"`
}

// remembered is how many events of a call one who comes late is told; few calls have
// more than the usual number.
const (
	remembered = 100
	usual      = 16
)

// Hub knows the dialogues that go on and who follows them. The zero value is
// ready; a nil one takes nothing. It is safe for concurrent use.
type Hub struct {
	mu        sync.Mutex
	calls     map[string]*Dialogue
	followers map[*follower]bool
}

// Dialogue is one call's dialogue.
type Dialogue struct {
	hub  *Hub
	call Call
	past []moment // the last ones; once they are as many as are remembered, the oldest is at Events % remembered
}

// moment is an event of a call.
type moment struct {
	since      time.Duration // the call's beginning
	kind, text string
}

func (d *Dialogue) event(m moment) Event {
	return Event{Time: d.call.Begun.Add(m.since), Call: d.call.ID, Kind: m.kind, Text: m.text}
}

// Begin begins to tell of a call; End must follow.
func (h *Hub) Begin(c Call) *Dialogue {
	if h == nil {
		return nil
	}
	c.Begun = time.Now()
	d := &Dialogue{hub: h, call: c, past: make([]moment, 0, usual)}
	h.mu.Lock()
	if h.calls == nil {
		h.calls = make(map[string]*Dialogue)
	}
	h.calls[c.ID] = d
	h.mu.Unlock()
	d.Tell("begun", c.Application)
	return d
}

// Tell tells who follows what happened.
func (d *Dialogue) Tell(kind, text string) {
	if d == nil {
		return
	}
	m := moment{time.Since(d.call.Begun), kind, text}
	d.hub.mu.Lock()
	defer d.hub.mu.Unlock()
	if len(d.past) < remembered {
		d.past = append(d.past, m)
	} else {
		d.past[d.call.Events%remembered] = m
	}
	d.call.Events++
	for f := range d.hub.followers {
		f.take(d.event(m))
	}
}

// Inspected tells whether one who follows the call has asked for variables.
func (d *Dialogue) Inspected() bool {
	if d == nil {
		return false
	}
	d.hub.mu.Lock()
	defer d.hub.mu.Unlock()
	for f := range d.hub.followers {
		if f.variables && f.follows(d.call.ID) {
			return true
		}
	}
	return false
}

// End ends the telling.
func (d *Dialogue) End(how string) {
	if d == nil {
		return
	}
	d.Tell("ended", how)
	d.hub.mu.Lock()
	defer d.hub.mu.Unlock()
	delete(d.hub.calls, d.call.ID)
}

// Calls lists the calls whose dialogues go on, the oldest first.
func (h *Hub) Calls() []Call {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := make([]Call, 0, len(h.calls))
	for _, d := range h.calls {
		out = append(out, d.call)
	}
	slices.SortFunc(out, func(a, b Call) int { return a.Begun.Compare(b.Begun) })
	return out
}

// follower is one who follows a call, or all.
type follower struct {
	call      string
	variables bool // it is told of them as well
	events    chan Event
	missed    int // under the hub's lock
}

func (f *follower) follows(call string) bool { return f.call == "" || f.call == call }

// wants tells whether an event is for the follower.
func (f *follower) wants(e Event) bool {
	return f.follows(e.Call) && (f.variables || e.Kind != Changed)
}

// take hands an event on, unless the follower lags.
func (f *follower) take(e Event) {
	if !f.wants(e) {
		return
	}
	if f.missed > 0 && len(f.events) < cap(f.events)/2 {
		f.events <- Event{Time: e.Time, Call: e.Call, Kind: "missed"}
		f.missed = 0
	}
	select {
	case f.events <- e:
	default:
		f.missed++
	}
}

// follow begins to follow a call, or all for "", and their variables or not. It returns
// false when there is no such call.
func (h *Hub) follow(call string, variables bool) (*follower, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f := &follower{call: call, variables: variables, events: make(chan Event, 512)}
	if call != "" {
		d := h.calls[call]
		if d == nil {
			return nil, false
		}
		oldest := d.call.Events % max(len(d.past), 1)
		for i := range d.past {
			if e := d.event(d.past[(oldest+i)%len(d.past)]); f.wants(e) {
				f.events <- e
			}
		}
	}
	if h.followers == nil {
		h.followers = make(map[*follower]bool)
	}
	h.followers[f] = true
	return f, true
}

func (h *Hub) leave(f *follower) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.followers, f)
}
