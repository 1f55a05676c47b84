package reporting

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"mcp/control/reporting/journal"
)

// records are the records of calls in a directory of journals, by id; doubles
// are errors.
func records(t *testing.T, dir string) map[string]*Record {
	t.Helper()
	found := map[string]*Record{}
	for s, err := range Read(dir, journal.Position{}) {
		if err != nil {
			t.Fatal(err)
		}
		if s.Record == nil {
			continue
		}
		if found[s.ID] != nil {
			t.Errorf("%s has two records", s.ID)
		}
		found[s.ID] = s.Record
	}
	return found
}

// rostered is a directory with what a platform left behind that died: notes, and
// the records of calls.
func rostered(t *testing.T, notes []note, recorded ...string) string {
	t.Helper()
	dir := t.TempDir()
	write := func(dir string, entries ...any) {
		j, err := journal.Open(dir, journal.Config{}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if _, err := j.Append(context.Background(), encoded(t, e)); err != nil {
				t.Fatal(err)
			}
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range notes {
		write(filepath.Join(dir, rosterDir), n)
	}
	for _, id := range recorded {
		write(dir, ended(id))
	}
	return dir
}

// noted is a note at a time of a process that began at noon.
func noted(ms int64, n note) note {
	n.At, n.Clock = noon.Add(time.Duration(ms)*time.Millisecond), ms
	return n
}

var noon = time.Date(2026, 3, 29, 12, 0, 0, 0, time.UTC)

// up is a call that began, and was answered unless that is 0.
func up(id string, started, answered int64) note {
	rec := Begin(id, noon.Add(time.Duration(started)*time.Millisecond))
	rec.Application = "http://web/app.vxml"
	if answered > 0 {
		rec.Answer(noon.Add(time.Duration(answered) * time.Millisecond))
	}
	return noted(max(started, answered), note{Call: rec, Started: started, Answered: answered})
}

func TestInterruptedCallsHaveRecords(t *testing.T) {
	start, begin, end := noted(0, note{Mark: markStart}), noted(5000, note{Mark: markBegin}), noted(5000, note{Mark: markEnd, From: &journal.Position{}})
	type closed struct {
		status             int
		setup, talk, total int64
	}
	for name, test := range map[string]struct {
		notes    []note
		recorded []string
		want     map[string]closed
	}{
		"nothing was noted": {},
		"answered, then signs of life": {
			notes: []note{start, up("a", 1000, 0), up("a", 1000, 3000), noted(9000, note{})},
			want:  map[string]closed{"a": {200, 2000, 6000, 8000}},
		},
		"not answered yet": {
			notes: []note{start, up("a", 1000, 0), noted(2500, note{})},
			want:  map[string]closed{"a": {0, 1500, 0, 1500}},
		},
		"ended": {
			notes:    []note{start, up("a", 1000, 2000), noted(3000, note{Ended: []string{"a"}, From: &journal.Position{}})},
			recorded: []string{"a"},
		},
		"ended, which was not noted any more": {
			notes:    []note{start, up("a", 1000, 2000), up("b", 1000, 2000)},
			recorded: []string{"a"},
			want:     map[string]closed{"b": {200, 1000, 0, 1000}},
		},
		"written anew": {
			notes: []note{start, up("gone", 1000, 2000), begin, up("a", 1000, 2000), end, noted(6000, note{})},
			want:  map[string]closed{"a": {200, 1000, 4000, 5000}},
		},
		"written anew by half": {
			notes: []note{start, up("a", 1000, 2000), up("b", 1000, 2000), begin, up("a", 1000, 2000), noted(6000, note{})},
			want:  map[string]closed{"a": {200, 1000, 4000, 5000}, "b": {200, 1000, 4000, 5000}},
		},
		"died again before the records were written": {
			notes: []note{start, up("a", 1000, 2000), noted(6000, note{}), start, begin, noted(900_000, note{})},
			want:  map[string]closed{"a": {200, 1000, 4000, 5000}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := rostered(t, test.notes, test.recorded...)
			for range 2 { // the second start finds nothing left
				r := openWith(t, dir, Config{Interval: -1})
				if err := r.Close(); err != nil {
					t.Fatal(err)
				}
			}
			got := records(t, dir)
			for _, id := range test.recorded {
				if got[id] == nil || got[id].End.Cause != HangUp {
					t.Errorf("%s has the record %+v", id, got[id])
				}
				delete(got, id)
			}
			if len(got) != len(test.want) {
				t.Errorf("%d records, want %d", len(got), len(test.want))
			}
			for id, want := range test.want {
				rec := got[id]
				if rec == nil {
					t.Errorf("%s has no record", id)
					continue
				}
				d := rec.Durations
				if have := (closed{rec.End.SIPStatus, d.Setup, d.Talk, d.Total}); have != want {
					t.Errorf("%s: %+v, want %+v", id, have, want)
				}
				if rec.End.Cause != Interrupted || rec.End.By != Fault || rec.End.Error == "" || rec.Application == "" {
					t.Errorf("%s: %+v", id, rec)
				}
			}
		})
	}
}

// TestRosterIsWrittenAnew has calls come and go until what was noted is let go,
// while one is up all the time.
func TestRosterIsWrittenAnew(t *testing.T) {
	dir := t.TempDir()
	r := open(t, dir)
	long := Begin("long", time.Now())
	long.Dialogue = &Dialogue{Exit: map[string]string{"size": string(make([]byte, 2000))}}
	r.Begin(long)
	for i := range 3 * rosterRewrite / 12_000 { // a zero byte is six in JSON
		rec := ended(fmt.Sprint(i))
		rec.Dialogue = long.Dialogue
		r.Begin(rec)
		if err := r.Record(context.Background(), rec); err != nil {
			t.Fatal(err)
		}
	}
	r.Drain()
	from, err := r.roster.journal.Delivered()
	if err != nil || from.Segment < 2 {
		t.Errorf("let go up to %s: %v", from, err)
	}
	var ups []string
	for e, err := range r.roster.journal.Read(from) {
		var n note
		if err == nil {
			err = json.Unmarshal(e.Data, &n)
		}
		if err != nil {
			t.Fatal(err)
		}
		if n.Mark == markBegin {
			ups = nil
		}
		if n.Call != nil {
			ups = append(ups, n.Call.ID)
		}
	}
	if len(ups) != 1 || ups[0] != "long" {
		t.Errorf("up are %q", ups)
	}
}

// TestRosterOutlivesItsDisk has the roster's journal fail: calls go on, and what
// they missed is noted later.
func TestRosterOutlivesItsDisk(t *testing.T) {
	j, err := journal.Open(t.TempDir(), journal.Config{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	r := &roster{journal: j, log: slog.New(slog.DiscardHandler), began: time.Now(), up: map[string][]byte{}}
	r.write(paged(up("a", 0, 1), up("b", 0, 1)))
	r.write(paged(noted(3, note{Ended: []string{"b"}})))
	if !r.stale || len(r.up) != 1 {
		t.Errorf("stale %t, up %d", r.stale, len(r.up))
	}
	dir := t.TempDir()
	if r.journal, err = journal.Open(dir, journal.Config{}, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	defer r.journal.Close()
	r.write(paged(noted(4, note{})))
	again := &roster{journal: r.journal, log: r.log}
	if s, left := again.recall(); r.stale || len(left) != 1 || len(s.up) != 1 || left[0].ID != "a" {
		t.Errorf("stale %t, left %v", r.stale, left)
	}
}

func paged(notes ...note) *page {
	var p page
	for _, n := range notes {
		l := entry{note: n}
		if n.Call != nil {
			l.call, l.note.Call = *n.Call, nil
		}
		p.entries = append(p.entries, l)
	}
	return &p
}

// A note that cannot be encoded spoils none beside it, and a page that is used again
// has nothing of what was on it.
func TestPageHasWhatCouldBeEncoded(t *testing.T) {
	a, bad, b := up("a", 0, 1), up("bad", 0, 1), up("b", 0, 1)
	bad.Call.Media = []Leg{{Received: Received{Jitter: math.NaN()}}}
	p := paged(a, bad, b)
	for i, want := range []note{a, {}, b} {
		switch got, err := p.encode(&p.entries[i]); {
		case want.Call == nil && err == nil:
			t.Error("a jitter that is no number was encoded")
		case want.Call != nil && string(got) != string(encodeNote(&want)):
			t.Errorf("%s, %v", got, err)
		}
	}
	if again := p.wiped(); len(again.entries)+len(again.json.b) > 0 || again.entries[:1][0].call.ID != "" {
		t.Errorf("%+v", again.entries[:1])
	}
}

// While the roster is not written, beginnings beyond the bound are left out, and ends
// wait until there is room or nothing is written any more.
func TestFullPad(t *testing.T) {
	begin, end := entry{call: *Begin("a", noon)}, entry{note: note{Ended: []string{"a"}}}
	for name, relieve := range map[string]func(p *pad){"written": func(p *pad) { p.take(page{}) }, "over": (*pad).close} {
		synctest.Test(t, func(t *testing.T) {
			p := newPad()
			for range laneRoom + 1 {
				p.put(&begin)
			}
			if len(p.page.entries) != laneRoom {
				t.Errorf("%s: %d notes are waiting", name, len(p.page.entries))
			}
			done := make(chan struct{}, 1)
			go func() { p.put(&end); done <- struct{}{} }()
			synctest.Wait()
			if len(done) > 0 {
				t.Errorf("%s: an end did not wait for room", name)
			}
			relieve(p)
			<-done
		})
	}
}

// TestManyNotesWaitForNoInterval has more calls begin between two writes than one takes.
func TestManyNotesWaitForNoInterval(t *testing.T) {
	const calls = 3*maxTogether + 5
	j, err := journal.Open(t.TempDir(), journal.Config{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	r := &roster{journal: j, log: slog.New(slog.DiscardHandler), began: time.Now(), pad: newPad(), up: map[string][]byte{}}
	for i := range calls {
		r.hold(Begin(fmt.Sprint(i), time.Now()))
	}
	all := r.pad.take(page{})
	r.write(&all)
	if n := r.noted(""); n != calls {
		t.Errorf("%d calls are noted", n)
	}
}
