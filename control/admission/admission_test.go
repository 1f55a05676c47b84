package admission

import (
	"runtime"
	"testing"
	"time"
)

var free = Load{FreePorts: 100}

func TestLimits(t *testing.T) {
	for _, tc := range []struct {
		name   string
		limits Limits
		load   Load
		want   Cause
		free   int
	}{
		{"none", Limits{}, Load{Calls: 1e6, FreePorts: 7, CPU: 1}, None, 7},
		{"calls below", Limits{Calls: 10}, Load{Calls: 9, FreePorts: 100}, None, 1},
		{"calls", Limits{Calls: 10}, Load{Calls: 10, FreePorts: 100}, TooMany, 0},
		{"calls above", Limits{Calls: 10}, Load{Calls: 11, FreePorts: 100}, TooMany, 0},
		{"ports", Limits{Ports: 2}, Load{FreePorts: 1}, NoPorts, 0},
		{"ports left", Limits{Ports: 2}, Load{FreePorts: 5}, None, 2},
		{"processors", Limits{CPU: 0.9}, Load{CPU: 0.9, FreePorts: 1}, NoCPU, 1},
		{"processors below", Limits{CPU: 0.9}, Load{CPU: 0.89, FreePorts: 1}, None, 1},
	} {
		g := New(tc.limits)
		if got := g.Admit(tc.load, time.Now()); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
		if got := g.Free(tc.load); got != tc.free {
			t.Errorf("%s: %d free, want %d", tc.name, got, tc.free)
		}
	}
}

// Ten calls in a second, whenever in it they come.
func TestRate(t *testing.T) {
	g := New(Limits{Rate: 10})
	now := time.Unix(1000, 0)
	taken := 0
	for range 100 {
		if g.Admit(free, now) == None {
			taken++
		}
	}
	if taken != 10 {
		t.Errorf("%d of a burst", taken)
	}
	for range 1000 { // a hundred calls a second for ten seconds
		now = now.Add(10 * time.Millisecond)
		if g.Admit(free, now) == None {
			taken++
		}
	}
	if taken < 105 || taken > 111 {
		t.Errorf("%d in ten seconds", taken)
	}
	if g.Full(free) != None {
		t.Error("the rate counts for capacity")
	}
	slow := New(Limits{Rate: 1, Period: time.Minute})
	if slow.Admit(free, now) != None || slow.Admit(free, now.Add(59*time.Second)) != TooFast || slow.Admit(free, now.Add(61*time.Second)) != None {
		t.Error("one call a minute")
	}
}

func TestDrain(t *testing.T) {
	g := New(Limits{})
	g.Drain()
	if g.Admit(free, time.Now()) != Draining || g.Full(free) != Draining {
		t.Error("a drained gate takes calls")
	}
}

func TestAdmitDoesNotAllocate(t *testing.T) {
	g := New(Limits{Calls: 10, Rate: 1000, CPU: 0.9, Ports: 2})
	var c CPU
	now := time.Now()
	if n := testing.AllocsPerRun(100, func() { g.Admit(Load{Calls: 1, FreePorts: 10, CPU: c.Share()}, now) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestCPU(t *testing.T) {
	var c CPU
	if c.Share() != 0 {
		t.Error("use before any time has passed")
	}
	stop := make(chan bool)
	for range runtime.GOMAXPROCS(0) {
		go func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
			}
		}()
	}
	defer close(stop)
	for deadline := time.Now().Add(30 * time.Second); c.Share() == 0; {
		if time.Now().After(deadline) {
			t.Fatal("busy processors are not seen")
		}
		time.Sleep(10 * time.Millisecond)
	}
	if s := c.Share(); s < 0 || s > 1 {
		t.Errorf("share %v", s)
	}
}

func BenchmarkAdmit(b *testing.B) {
	g := New(Limits{Calls: 10, Rate: 1 << 30, CPU: 2, Ports: 2})
	var c CPU
	b.ReportAllocs()
	for b.Loop() {
		g.Admit(Load{Calls: 1, FreePorts: 10, CPU: c.Share()}, time.Now())
	}
}

func TestLimitsChange(t *testing.T) {
	g := New(Limits{Calls: 10, Rate: 2})
	now := time.Now()
	for range 2 {
		if c := g.Admit(Load{FreePorts: 100}, now); c != None {
			t.Fatal(c)
		}
	}
	g.Limit(Limits{Calls: 10, Rate: 3})
	if c := g.Admit(Load{FreePorts: 100}, now); c != None {
		t.Errorf("a third call within the new rate: %v", c)
	}
	if c := g.Admit(Load{FreePorts: 100}, now); c != TooFast {
		t.Errorf("a fourth: %v: what was counted must stay counted", c)
	}
	g.Limit(Limits{Calls: 3})
	if c := g.Admit(Load{Calls: 3, FreePorts: 100}, now); c != TooMany {
		t.Errorf("more calls than now allowed: %v", c)
	}
}
