package reporting

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"mcp/control/reporting/journal"
)

const (
	// rosterDir is the folder of the roster's journal, in that of the calls'.
	rosterDir = "up"
	// rosterBytes bounds it: enough for some 80,000 calls at once.
	rosterBytes = 64 << 20
	// rosterInterval is how far apart its writes begin at least: a call that began
	// since the last leaves no record if the process dies.
	rosterInterval = 2 * writeInterval
	// rosterRewrite is how much is noted before the calls that are up are written anew.
	rosterRewrite = 8 << 20
	// lifeInterval is how often it is noted that the process lives, while calls are
	// up: by so much the record of an interrupted call may be too short.
	lifeInterval = 5 * time.Second
)

// roster keeps on disk which calls are up, so that those of a process that died
// are known to the next. Nobody waits for it: a call that began in the last
// instant, of rosterInterval and the time of a write, may be missing.
//
// Its journal is notes in the order of what happened. Now and then all calls that
// are up are written anew, between two marks, and what was before is let go.
type roster struct {
	journal *Journal
	log     *slog.Logger
	began   time.Time
	pad     *pad
	stop    chan struct{}
	stopped chan struct{}
	once    sync.Once

	// The rest is of run's goroutine.
	up      map[string][]byte // the calls' latest notes, encoded: there may be many, for long
	ended   journal.Position  // as of state
	written int               // bytes since the last rewriting
	size    int               // bytes of that
	stale   bool              // a note could not be written
	started bool              // this process has left its mark
}

// state is what the notes of an earlier process come to.
type state struct {
	up map[string]note
	// ended is how far in the journal of calls the ends of all calls are noted.
	ended journal.Position
}

// note is an entry of a roster. Each says when it was made, and is a sign of life.
type note struct {
	At    time.Time `json:"at"`
	Clock int64     `json:"clock_ms"` // on the process's monotonic clock
	// Call is up, since a time on that clock; one with a cause of its end was
	// interrupted, and its record is still to be written.
	Call     *Record `json:"call,omitempty"`
	Started  int64   `json:"started_ms,omitempty"`
	Answered int64   `json:"answered_ms,omitempty"`
	// Ended are calls with a record at or after From in the journal of calls.
	Ended []string          `json:"ended,omitempty"`
	From  *journal.Position `json:"from,omitempty"`
	Mark  string            `json:"mark,omitempty"`
}

// The marks tell of the notes behind them.
const (
	markStart = "start" // a process's first: the calls that were up before it are not any more
	markBegin = "begin" // all calls that are up, written anew
	markEnd   = "end"   // no more of those
)

// openRoster opens the roster in a directory and returns with it the records of
// calls that an earlier process left up, closed.
func openRoster(dir string, calls *Journal, log *slog.Logger) (*roster, []*Record, error) {
	j, err := journal.Open(dir, journal.Config{
		SegmentBytes: rosterBytes / 16, KeepBytes: rosterBytes, KeepFor: time.Hour, Hold: true,
	}, log)
	if err != nil {
		return nil, nil, err
	}
	r := &roster{
		journal: j, log: log, began: time.Now(), pad: newPad(), up: map[string][]byte{},
		stop: make(chan struct{}), stopped: make(chan struct{}), stale: true,
	}
	s, left := r.recall()
	if left = s.unrecorded(calls, left); len(left) > 0 {
		log.Warn("calls were up when the platform died: their records are closed", "calls", len(left))
	}
	r.ended = s.ended
	for id, n := range s.up {
		r.up[id] = encodeNote(&n)
	}
	go r.run()
	return r, left, nil
}

// recall reads what an earlier process has noted.
func (r *roster) recall() (state, []*Record) {
	from, err := r.journal.Delivered()
	if err != nil {
		r.log.Warn("roster of calls is read from its beginning", "error", err)
	}
	whole, part := state{up: map[string]note{}}, state{up: map[string]note{}}
	var alive note // the latest sign of life
	for e, err := range r.journal.Read(from) {
		var n note
		if err == nil {
			err = json.Unmarshal(e.Data, &n)
		}
		if err != nil {
			r.log.Warn("roster of calls cannot be read here", "at", e.At.String(), "error", err)
			continue
		}
		whole.apply(n)
		part.apply(n)
		switch n.Mark {
		case markStart:
			whole.interrupt(alive)
		case markBegin:
			part = state{up: map[string]note{}}
		case markEnd:
			whole = state{maps.Clone(part.up), whole.ended}
		}
		alive = n
	}
	return whole, whole.interrupt(alive)
}

// apply does to the state what a note says.
func (s *state) apply(n note) {
	if n.Call != nil {
		s.up[n.Call.ID] = n
	}
	for _, id := range n.Ended {
		delete(s.up, id)
	}
	if n.From != nil {
		s.ended = *n.From
	}
}

// interrupt closes the records of the calls that are up at the last sign of life.
func (s *state) interrupt(alive note) (closed []*Record) {
	for id, n := range s.up {
		if rec := n.Call; rec.End.Cause == "" {
			rec.EndedAt = alive.At
			rec.End = End{Cause: Interrupted, By: Fault, Error: fmt.Sprintf(
				"the platform died while the call was up, not before %s", alive.At.Format(time.RFC3339Nano))}
			rec.Durations = Durations{Setup: alive.Clock - n.Started, Total: alive.Clock - n.Started}
			if rec.AnsweredAt != nil {
				rec.End.SIPStatus = 200
				rec.Durations.Setup, rec.Durations.Talk = n.Answered-n.Started, alive.Clock-n.Answered
			}
			s.up[id] = n
		}
		closed = append(closed, n.Call)
	}
	slices.SortFunc(closed, func(a, b *Record) int { return a.StartedAt.Compare(b.StartedAt) })
	return closed
}

// unrecorded are those of the calls whose records are not in the journal of calls:
// the others had ended, and there was no time to note it.
func (s *state) unrecorded(calls *Journal, closed []*Record) []*Record {
	if len(closed) == 0 {
		return nil
	}
	known := map[string]bool{}
	for e, err := range calls.Read(s.ended) {
		var h Head
		if err == nil && json.Unmarshal(e.Data, &h) == nil && h.Kind == KindCall {
			known[h.ID] = true
		}
	}
	return slices.DeleteFunc(closed, func(rec *Record) bool {
		if known[rec.ID] {
			delete(s.up, rec.ID)
		}
		return known[rec.ID]
	})
}

// note makes a note of now.
func (r *roster) note() note {
	now := time.Now()
	return note{At: now.UTC(), Clock: now.Sub(r.began).Milliseconds()}
}

// hold notes a call that has begun, or was answered. While the disk hangs it
// forgets calls rather than let them wait.
func (r *roster) hold(rec *Record) {
	e := entry{note: r.note(), call: forStorage(rec)}
	e.note.Started = rec.StartedAt.Sub(r.began).Milliseconds()
	if rec.AnsweredAt != nil {
		e.note.Answered = rec.AnsweredAt.Sub(r.began).Milliseconds()
	}
	r.pad.put(&e)
}

// release notes calls whose records are durable, at or after a position.
func (r *roster) release(calls []string, at journal.Position) {
	e := entry{note: r.note()}
	e.note.Ended, e.note.From = calls, &at
	r.pad.put(&e)
}

func (r *roster) run() {
	defer close(r.stopped)
	life := time.NewTicker(lifeInterval)
	defer life.Stop()
	r.rewrite()
	var notes page
	writes := spacing{apart: rosterInterval}
	for {
		select {
		case <-r.pad.some:
			writes.wait(r.stop)
			notes = r.pad.take(notes.wiped())
			r.write(&notes)
		case <-life.C:
			if r.stale || len(r.up) > 0 {
				r.pad.put(&entry{note: r.note()})
			}
		case <-r.stop:
			r.pad.close()
			notes = r.pad.take(page{})
			r.write(&notes)
			r.rewrite()
			return
		}
	}
}

// write notes what has happened, however much: what shares a write is bounded. What
// cannot be written is in the state, and so in what is written anew when it can be.
func (r *roster) write(p *page) {
	for some := range slices.Chunk(p.entries, maxTogether) {
		leaveOutPast(some)
		all := make([][]byte, 0, len(some))
		for i := range some {
			if some[i].past {
				continue
			}
			b, err := p.encode(&some[i])
			if err != nil {
				r.log.Warn("a call that is up cannot be noted", "call", some[i].call.ID, "error", err)
				continue
			}
			r.apply(&some[i], b)
			all = append(all, b)
		}
		if r.stale || r.written > max(rosterRewrite, 4*r.size) {
			r.rewrite()
			continue
		}
		size, err := r.append(all)
		r.written += size
		r.stale = err != nil
	}
}

// apply does to what is up what a note says, whose JSON is b.
func (r *roster) apply(e *entry, b []byte) {
	if e.call.ID != "" {
		r.up[e.call.ID] = bytes.Clone(b)
	}
	for _, id := range e.note.Ended {
		delete(r.up, id)
	}
	if e.note.From != nil {
		r.ended = *e.note.From
	}
}

// leaveOutPast marks what a later note says again: most calls are answered by the time
// that it is noted that they have begun.
func leaveOutPast(entries []entry) {
	latest := make(map[string]*entry, len(entries))
	for i := range entries {
		e := &entries[i]
		if e.call.ID == "" {
			continue
		}
		if before := latest[e.call.ID]; before != nil {
			before.past = true
		}
		latest[e.call.ID] = e
	}
}

// rewrite writes the whole state and lets go of what was before it.
func (r *roster) rewrite() {
	before := r.journal.End()
	entries := make([][]byte, 0, len(r.up)+3)
	if !r.started {
		entries = append(entries, r.mark(markStart, nil))
	}
	entries = append(entries, r.mark(markBegin, nil))
	entries = slices.AppendSeq(entries, maps.Values(r.up))
	size, err := r.append(append(entries, r.mark(markEnd, &r.ended)))
	if r.stale = err != nil; r.stale {
		return
	}
	r.written, r.size, r.started = 0, size, true
	if err := r.journal.SetDelivered(before); err != nil {
		r.log.Warn("what the roster of calls no longer needs cannot be let go", "error", err)
	}
}

// mark is a mark of now, encoded.
func (r *roster) mark(mark string, ended *journal.Position) []byte {
	n := r.note()
	n.Mark, n.From = mark, ended
	return encodeNote(&n)
}

// encodeNote is the JSON of a note that is sure to have one: a mark, or one that was read.
func encodeNote(n *note) []byte {
	var e encoder
	e.note(n)
	return e.b
}

func (r *roster) append(entries [][]byte) (size int, err error) {
	_, err = r.journal.Append(context.Background(), entries...)
	for _, e := range entries {
		size += len(e)
	}
	return size, err
}

// drain writes what is still waiting and takes no more. It is idempotent.
func (r *roster) drain() {
	r.once.Do(func() { close(r.stop) })
	<-r.stopped
}
