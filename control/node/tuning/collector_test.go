package tuning

import (
	"context"
	"runtime/debug"
	"testing"
	"time"
)

const mebi = 1 << 20

// A run of the collector every ten seconds, however small the heap is, unless that
// takes more garbage than it may.
func TestFit(t *testing.T) {
	for _, tt := range []struct {
		name                         string
		most, used, allocated, wants uint64 // wants: garbage, in bytes
	}{
		{name: "idle", most: 512 * mebi, used: 32 * mebi, allocated: mebi / 10, wants: leastRoom},
		{name: "just started", most: 512 * mebi, used: 0, allocated: mebi, wants: leastRoom},
		{name: "few calls", most: 512 * mebi, used: 32 * mebi, allocated: 16 * mebi, wants: 160 * mebi},
		{name: "many calls", most: 512 * mebi, used: 64 * mebi, allocated: 100 * mebi, wants: 512 * mebi},
		{name: "more than may be", most: 128 * mebi, used: 64 * mebi, allocated: 100 * mebi, wants: 128 * mebi},
		{name: "held calls", most: 512 * mebi, used: 1000 * mebi, allocated: 100 * mebi, wants: 1000 * mebi},
		{name: "little memory", most: 16 * mebi, used: 8 * mebi, allocated: mebi, wants: 16 * mebi},
	} {
		c := collector{most: tt.most}
		if got, want := c.fit(tt.used, tt.allocated), int(100*tt.wants/max(tt.used, smallest)); got != want {
			t.Errorf("%s: %d %%, not %d", tt.name, got, want)
		}
	}
}

// A moment without calls changes little; after a minute nothing is left of the load.
func TestFitForgetsTheLoad(t *testing.T) {
	c := collector{most: 512 * mebi}
	loaded := c.fit(32*mebi, 50*mebi)
	if next := c.fit(32*mebi, 0); next < loaded*8/10 || next >= loaded {
		t.Errorf("%d %% after a second, %d before", next, loaded)
	}
	for range 59 {
		c.fit(32*mebi, 0)
	}
	if idle, want := c.fit(32*mebi, 0), 100*leastRoom/(32*mebi); idle != want {
		t.Errorf("%d %% after a minute, not %d", idle, want)
	}
}

func TestRunLeavesTheRuntimeAsItWas(t *testing.T) {
	const own = 77
	defer debug.SetGCPercent(debug.SetGCPercent(own))
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- collector{most: 512 * mebi}.run(ctx) }()
	for deadline := time.Now().Add(30 * time.Second); gcPercent() == own; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nothing is fitted")
		}
	}
	stop()
	if err := <-done; err != nil || gcPercent() != own {
		t.Errorf("%v, %d %%", err, gcPercent())
	}
	if err := (collector{}).run(t.Context()); err != nil || gcPercent() != own {
		t.Errorf("switched off: %v, %d %%", err, gcPercent())
	}
}

func gcPercent() int { return int(sample("/gc/gogc:percent")) }
