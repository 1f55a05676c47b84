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

// The steps that tell what went over the network, beside those by which the product's
// call logs know what an application does. Their text is a message's first line, and
// more of a fetch; what may be private in it is left out.
const (
	StepReceived       = "sip_received"
	StepSent           = "sip_sent"
	StepFetched        = "fetched"
	StepSpeechReceived = "mrcp_received"
	StepSpeechSent     = "mrcp_sent"
)

// maxText bounds what an application can put into one record.
const maxText = 8 << 10

// Trail makes the events of one call. Its methods may be called from any
// goroutine, and of a nil Trail too, which makes none.
type Trail struct {
	sink  func(Event)
	start time.Time

	mu   sync.Mutex
	head Head
	n    int
}

// Serve says which application serves the call.
func (t *Trail) Serve(application string) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.head.Application = application
}

// Custom records what an application logs under a label.
func (t *Trail) Custom(label, text string) { t.event(KindCustom, label, text) }

// Step records a step of the call by the name it has in the product's own call
// logs: incall_begin, form_enter, prompt_start and the like.
func (t *Trail) Step(name, text string) { t.event(KindTrace, name, text) }

func (t *Trail) event(kind Kind, name, text string) {
	if t == nil {
		return
	}
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n++
	e := Event{
		Head: t.head, Call: t.head.ID, At: now, Offset: now.Sub(t.start).Milliseconds(),
		Sequence: t.n, Name: shorten(name, 256), Text: shorten(text, maxText),
	}
	e.Kind, e.ID = kind, newID()
	t.sink(e)
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
