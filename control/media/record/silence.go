package record

import (
	"sync/atomic"
	"time"

	"mcp/control/media"
)

// silence is why nothing is recorded of what is said.
type silence struct {
	reasons map[string]bool // guarded by the recorder's mu
	ended   atomic.Int64    // when the last silence did, in nanoseconds since 1970; 0: none has
}

func (s *silence) on() bool { return len(s.reasons) > 0 }

// Silence has silence recorded instead of what is said, for a reason such as a
// pause or private input, until that and all other reasons have gone. What was said
// until then and is heard of only after is silence, too: it waits in a line's buffer,
// or is on its way there.
func (r *Recorder) Silence(reason string, on bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	was := r.silent.on()
	if on {
		r.silent.reasons[reason] = true
	} else {
		delete(r.silent.reasons, reason)
	}
	if !was || r.silent.on() {
		return
	}
	r.silent.ended.Store(time.Now().UnixNano())
	for _, l := range r.lines {
		l.still = l.ear.Held()
	}
}

// hear takes what a leg says. That it came too late is noted before it can be pulled,
// and again when it is at hand.
func (l *line) hear(ear media.Listener, h media.Heard, s *silence) {
	late := !h.At.IsZero() && h.At.UnixNano() < s.ended.Load()
	if late {
		l.late.Store(true)
	}
	ear.Audio(h)
	if late {
		l.late.Store(true)
	}
}

// pull is the line's next frame. It tells whether there is something to record in it.
func (l *line) pull(dst []int16) bool {
	before := l.ear.Held()
	if l.late.Swap(false) {
		l.still = before
	}
	active, still := l.ear.Pull(dst), l.still > 0
	if after := l.ear.Held(); still {
		l.still = min(l.still-max(0, before-after), after)
	}
	return active && !still
}
