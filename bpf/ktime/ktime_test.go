package ktime

import (
	"testing"
	"time"
)

// Both ways to read the clock agree, and what was read is now.
func TestClockAgreesWithTheKernels(t *testing.T) {
	c := New()
	for range 1000 {
		before, now, after := Now(), c.Now(), Now()
		const off = uint64(100 * time.Microsecond)
		if now+off < before || now > after+off {
			t.Fatalf("between %d and %d it was %d", before, after, now)
		}
	}
	for _, ago := range []time.Duration{0, time.Second, time.Hour} {
		earliest := time.Now().Add(-ago)
		got := c.Time(c.Now() - uint64(ago))
		if latest := time.Now().Add(-ago); got.Before(earliest) || got.After(latest) {
			t.Errorf("%s ago was %s, not between %s and %s", ago, got, earliest, latest)
		}
	}
}

// Reading it makes no garbage.
func TestClockAllocatesNothing(t *testing.T) {
	c := New()
	if n := testing.AllocsPerRun(100, func() { c.Time(c.Now()) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkNow(b *testing.B) {
	c := New()
	b.Run("clock", func(b *testing.B) {
		for b.Loop() {
			c.Now()
		}
	})
	b.Run("system call", func(b *testing.B) {
		for b.Loop() {
			Now()
		}
	})
}
