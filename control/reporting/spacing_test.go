package reporting

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestWritesKeepApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop := make(chan struct{})
		writes := spacing{apart: time.Second}
		begin := time.Now()
		took := func() time.Duration { writes.wait(stop); return time.Since(begin) }
		if d := took(); d != 0 {
			t.Errorf("the first waits for %v", d)
		}
		if d := took(); d != time.Second {
			t.Errorf("the second begins after %v", d)
		}
		time.Sleep(300 * time.Millisecond)
		if d := took(); d != 2*time.Second {
			t.Errorf("one that comes a little later begins after %v", d)
		}
		time.Sleep(time.Minute)
		if d := took(); d != 62*time.Second {
			t.Errorf("one after a pause begins after %v", d)
		}
		close(stop)
		if d := took(); d != 62*time.Second {
			t.Errorf("the last before the end begins after %v", d)
		}
	})
}

func TestLaterNotesStandForEarlierOnes(t *testing.T) {
	offered := func(id string) note { return up(id, 1, 0) }
	answered := func(id string) note { return up(id, 1, 2) }
	ended := func(ids ...string) note { return note{Ended: ids} }
	notes := []note{offered("a"), offered("b"), answered("a"), ended("c"), ended("a")}
	lines := paged(notes...).entries
	leaveOutPast(lines)
	for i, l := range lines {
		if l.past != (i == 0) {
			t.Errorf("note %d is left out: %v", i, l.past)
		}
	}
}
