package media

import (
	"fmt"
	"testing"
	"time"

	"mcp/control/media/codec"
)

func (l *recorded) heardAt(at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stats.RxAt = at
}

// watched has a leg watched, and what was told of it.
func (s *studio) watched(name string, w Watch) (*Leg, *recorded, <-chan time.Duration) {
	s.Helper()
	l, p := s.connected(name, codec.PCMU)
	told := make(chan time.Duration, 10)
	w.Silent = func(d time.Duration) { told <- d }
	l.Watch(w)
	return l, p, told
}

// A far end that falls silent is told of once, within a second of its time.
func TestSilenceIsNoticed(t *testing.T) {
	timed(t, func(s *studio) {
		_, p, told := s.watched("caller", Watch{Timeout: time.Minute})
		_, _, never := s.watched("server", Watch{})
		time.Sleep(50 * time.Second)
		p.heardAt(time.Now())
		silent := time.Now()
		select {
		case <-told:
			s.Error("told while there was audio")
		default:
		}
		d := <-told
		if waited := time.Since(silent); waited < time.Minute || waited > time.Minute+time.Second || d < time.Minute {
			s.Errorf("told of %s after %s", d, waited)
		}
		time.Sleep(10 * time.Minute)
		if len(told) != 0 || len(never) != 0 {
			s.Error("told again, or of a leg that may be silent")
		}
	})
}

// A far end that never sends is silent from the beginning.
func TestNeverHeard(t *testing.T) {
	timed(t, func(s *studio) {
		start := time.Now()
		_, _, told := s.watched("caller", Watch{Timeout: 10 * time.Second})
		<-told
		if waited := time.Since(start); waited < 10*time.Second || waited > 11*time.Second {
			s.Errorf("told after %s", waited)
		}
	})
}

// On hold the longer time counts, and after it the shorter one from its end.
func TestHoldIsPatient(t *testing.T) {
	timed(t, func(s *studio) {
		l, p, told := s.watched("caller", Watch{Timeout: 10 * time.Second, HoldTimeout: time.Minute})
		p.heardAt(time.Now())
		hold := agreed(codec.PCMU)
		hold.Receive = false
		s.must(l.Connect(hold, codec.PCMU))
		time.Sleep(50 * time.Second)
		if len(told) != 0 {
			s.Fatal("told of a far end on hold")
		}
		s.must(l.Connect(agreed(codec.PCMU), codec.PCMU))
		resumed := time.Now()
		<-told
		if waited := time.Since(resumed); waited < 10*time.Second || waited > 11*time.Second {
			s.Errorf("told %s after the hold", waited)
		}
		l.Watch(Watch{HoldTimeout: time.Minute, Silent: func(time.Duration) { s.Error("told, though it may be silent") }})
		time.Sleep(time.Hour)
		s.must(l.Close())
	})
}

// A process that stood still judges nobody before it has caught up.
func TestStandingStillIsNotSilence(t *testing.T) {
	now := time.Now()
	for late, want := range map[time.Duration]bool{judgeEvery: false, 2 * judgeEvery: false, 3 * judgeEvery: true, time.Minute: true} {
		if got := stoodStill(now, now.Add(late)); got != want {
			t.Errorf("%s: %t", late, got)
		}
	}
}

// BenchmarkVigil looks for silence among the calls of a busy platform, of whom none is
// silent for long.
func BenchmarkVigil(b *testing.B) {
	s := newStudio(b)
	for i := range 4000 {
		l, _ := s.connected(fmt.Sprint(i), codec.PCMU)
		l.Watch(Watch{Timeout: time.Hour})
	}
	b.ReportAllocs()
	for b.Loop() {
		s.engine.vigil.judge(time.Now())
	}
}
