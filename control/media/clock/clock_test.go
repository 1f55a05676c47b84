package clock

import (
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type counter struct{ n atomic.Int64 }

func (c *counter) Tick() { c.n.Add(1) }

func TestEveryTickerIsPacedAlike(t *testing.T) {
	c := New()
	defer c.Close()
	all := make([]counter, 7)
	begun := time.Now()
	for i := range all {
		c.Add(&all[i])
		c.Add(&all[i])
	}
	for all[6].n.Load() < 25 {
		if time.Sleep(time.Millisecond); time.Since(begun) > 20*time.Second {
			t.Fatal("the clock stands still")
		}
	}
	for i := range all {
		c.Remove(&all[i])
	}
	c.Close()
	least, most := all[0].n.Load(), all[0].n.Load()
	for i := range all {
		least, most = min(least, all[i].n.Load()), max(most, all[i].n.Load())
	}
	if due := int64(time.Since(begun)/Frame) + 1; most > due || most-least > 1 {
		t.Errorf("%d to %d ticks, %d were due", least, most, due)
	}
}

func TestATickDoesNotAllocate(t *testing.T) {
	c := New()
	defer c.Close()
	c.Close()
	c.helpers = nil
	all := make([]counter, 100)
	for i := range all {
		c.Add(&all[i])
	}
	c.tick()
	if n := testing.AllocsPerRun(10, func() { c.tick() }); n != 0 {
		t.Errorf("%g allocations a tick", n)
	}
}
