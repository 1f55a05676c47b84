package reporting

import (
	"sync"
	"time"
)

// Event is a record of something that happened in a call, when it happened.
type Event struct {
	Head
	Call     string    `json:"call"`      // id of the call's own record
	At       time.Time `json:"at"`        // wall clock, UTC
	Offset   int64     `json:"offset_ms"` // since the INVITE, on the monotonic clock
	Sequence int       `json:"sequence"`  // counts the call's events from 1
	// Name is the label of a <log> element, such as com.genesyslab.var.CallResult,
	// or the name of a step, such as incall_begin.
	Name string `json:"name"`
	Text string `json:"text,omitempty"` // what was logged, without what the caller gave in private; at most 8 KiB
}

// maxURI bounds the addresses in a record.
const maxURI = 1024

// maxName and maxText bound what an application can put into one record.
const (
	maxName = 256
	maxText = 8 << 10
)

// Trail makes the events of one call, and collects what was done in it for its
// record. Its methods may be called from any goroutine, and of a nil Trail too,
// which makes none.
type Trail struct {
	recorder *Recorder
	show     func(*Event) // for who watches the call; nil: nobody does
	start    time.Time

	mu    sync.Mutex
	event Event // the last one; its head is that of all
	done  Deeds
}

// maxDeeds bounds how many of each a record lists: the first.
const maxDeeds = 100

// Serve says which application serves the call.
func (t *Trail) Serve(application string) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.event.Application = application
}

// Custom records what an application logs under a label.
func (t *Trail) Custom(label, text string) { t.happened(KindCustom, label, text) }

// Step tells of a step of the call, if anybody wants to know.
func (t *Trail) Step(name Step, text string) {
	if t.Traces() {
		t.happened(KindTrace, string(name), text)
	}
}

// Show shows something that is no step to who watches the call. Nobody records it.
func (t *Trail) Show(what, text string) {
	if t != nil && t.show != nil {
		t.happened(KindShown, what, text)
	}
}

// Traces tells whether anybody wants to know of steps.
func (t *Trail) Traces() bool { return t != nil && (t.recorder.config.Trace || t.show != nil) }

// Transferred notes an attempt to connect the caller with somebody else, once it
// is known what came of it.
func (t *Trail) Transferred(one Transfer) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.done.Transfers) < maxDeeds {
		one.To = shorten(one.To, maxURI)
		t.done.Transfers = append(t.done.Transfers, one)
	}
}

// Recorded notes something that was recorded, once it is whole.
func (t *Trail) Recorded(one Recording) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.done.Recordings) < maxDeeds {
		one.URI = shorten(one.URI, maxURI)
		t.done.Recordings = append(t.done.Recordings, one)
	}
}

// Progressed notes what became of a call that the platform made, once it is known.
func (t *Trail) Progressed(one Progress) {
	if t == nil {
		return
	}
	t.Step(StepProgress, one.Leg+" "+one.Outcome)
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.done.Progress) < maxDeeds {
		t.done.Progress = append(t.done.Progress, one)
	}
}

// Complete puts into the call's record what was noted.
func (t *Trail) Complete(r *Record) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	r.Deeds = t.done
}

func (t *Trail) happened(kind Kind, name, text string) {
	if t == nil {
		return
	}
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	e := &t.event
	e.Kind, e.At, e.Offset = kind, now, now.Sub(t.start).Milliseconds()
	if kind != KindShown {
		e.Sequence++
	}
	e.Name, e.Text = shorten(name, maxName), shorten(text, maxText)
	if t.show != nil {
		t.show(e)
	}
	if kind == KindCustom || kind == KindTrace && t.recorder.config.Trace {
		t.recorder.keep(*e)
	}
}

// shorten cuts a text at a character's end.
func shorten(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && s[most]&0xc0 == 0x80 {
		most--
	}
	return s[:most]
}
