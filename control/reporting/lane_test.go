package reporting

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"testing"

	"mcp/control/reporting/journal"
)

// text is a record that is a text.
func text(s string) func(*encoder) { return func(e *encoder) { e.string(s) } }

// A record that cannot be kept spoils none beside it, and a batch that is used again has
// nothing of what was in it.
func TestBatchHasWhatCanBeKept(t *testing.T) {
	var b batch
	for _, tt := range []struct {
		name   string
		call   string
		encode func(*encoder)
		kept   bool
	}{
		{"a call", "a", text("a"), true},
		{"no number", "b", func(e *encoder) { e.begin(); e.number("jitter", math.NaN()) }, false},
		{"too large", "c", text(strings.Repeat("x", journal.MaxEntry)), false},
		{"an event", "", text("d"), true},
	} {
		if err := b.add(parcel{kind: KindCall, call: tt.call}, tt.encode); (err == nil) != tt.kept {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	if len(b.parcels) != 2 || string(b.entry(0)) != `"a"` || string(b.entry(1)) != `"d"` || fmt.Sprint(b.calls) != "[a]" {
		t.Errorf("%s of %v", b.json.b, b.calls)
	}
	calls := b.calls
	b.wipe()
	if len(b.parcels)+len(b.json.b)+len(b.calls) > 0 || b.parcels[:1][0].call != "" || calls[0] != "a" {
		t.Errorf("%+v", b)
	}
}

// idle is a lane with room for two records that writes none.
func idle(drops bool, lost *int) *lane {
	return &lane{
		drops: drops, log: slog.New(slog.DiscardHandler), lost: func(_ Kind, n int) { *lost += n },
		room: make(chan struct{}, 2), some: make(chan struct{}, 1), stop: make(chan struct{}),
	}
}

func TestFullLane(t *testing.T) {
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for _, drops := range []bool{true, false} {
		lost := 0
		l := idle(drops, &lost)
		for range 2 {
			if _, err := l.put(t.Context(), parcel{kind: KindTrace}, text("x")); err != nil {
				t.Fatal(err)
			}
		}
		out, err := l.put(gone, parcel{kind: KindTrace}, text("x"))
		if drops && (out != nil || err != nil || lost != 1) {
			t.Errorf("one that drops: %v, %v, lost %d", out, err, lost)
		}
		if !drops && !errors.Is(err, context.Canceled) {
			t.Errorf("one that waits: %v", err)
		}
		close(l.stop)
		if _, err := l.put(t.Context(), parcel{kind: KindTrace}, text("x")); !drops && !errors.Is(err, journal.ErrClosed) {
			t.Errorf("one that has ended: %v", err)
		}
		if b := l.take(); len(b.parcels) != 2 || len(l.room) != 0 || len(l.some) != 0 || l.take() != nil {
			t.Errorf("%d records, room for %d taken", len(b.parcels), len(l.room))
		}
	}
}

// What cannot be encoded takes no room.
func TestRoomIsGivenBack(t *testing.T) {
	lost := 0
	l := idle(false, &lost)
	for range 3 {
		if _, err := l.put(t.Context(), parcel{}, func(e *encoder) { e.fail(errors.New("odd")) }); err == nil {
			t.Error("kept")
		}
	}
	if len(l.room) != 0 || len(l.some) != 0 {
		t.Errorf("room for %d taken", len(l.room))
	}
}

// More than what shares a write is in batches, of which each is told its own outcome.
func TestLaneWritesInOrder(t *testing.T) {
	dir := t.TempDir()
	j, err := journal.Open(dir, journal.Config{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	kept, lost := 0, 0
	l := newLane(&lane{
		journal: j, log: slog.New(slog.DiscardHandler), lost: func(_ Kind, n int) { lost += n },
		kept: func(calls []string, _ journal.Position) { kept += len(calls) },
	})
	const records = 2*maxTogether + 7
	var last *outcome
	for i := range records {
		if last, err = l.put(t.Context(), parcel{kind: KindCall, call: fmt.Sprint(i)}, text(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	<-last.done
	l.close()
	if _, err := l.put(t.Context(), parcel{}, text("late")); !errors.Is(err, journal.ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
	n := 0
	for e, err := range j.Read(journal.Position{}) {
		if want := fmt.Sprintf("%q", fmt.Sprint(n)); err != nil || string(e.Data) != want {
			t.Fatalf("entry %d is %s: %v", n, e.Data, err)
		}
		n++
	}
	if n != records || kept != records || lost != 0 || last.err != nil {
		t.Errorf("%d are there, %d kept, %d lost, %v", n, kept, lost, last.err)
	}
}
