package e2e

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

// A telephone keeps time. Where the machine stands still for longer than a jitter buffer
// bears, what is said has pauses that nobody made: a greeting with one is a person's. That
// is no fault of what listens, so a test of what is heard may be tried again for it, and
// for nothing else.
const (
	stall    = 80 * time.Millisecond // that may be heard
	maxTries = 6
)

// standstill tells how late those were woken who slept.
type standstill struct {
	mu    sync.Mutex // guards what follows
	since time.Time  // the latest stall
}

// watchStandstill watches the machine until the test ends.
func watchStandstill(t *testing.T) *standstill {
	s := &standstill{}
	stop := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() {
		for begin := time.Now(); ; begin = time.Now() {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
			}
			if time.Since(begin) > stall {
				s.mu.Lock()
				s.since = time.Now()
				s.mu.Unlock()
			}
		}
	})
	t.Cleanup(func() { close(stop); watch.Wait() })
	return s
}

func (s *standstill) after(begin time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.since.After(begin)
}

// try is a test that keeps its faults to itself.
type try struct {
	testing.TB
	faults []string
}

func (y *try) Errorf(format string, args ...any) {
	y.faults = append(y.faults, fmt.Sprintf(format, args...))
}
func (y *try) Error(args ...any) { y.faults = append(y.faults, fmt.Sprint(args...)) }

// steadily does something, again where it fails and the machine stood still meanwhile. What
// is done is told its turn, and tells its faults by the t that it is given.
func (s *standstill) steadily(t *testing.T, do func(t testing.TB, turn int)) {
	t.Helper()
	for turn := range maxTries {
		begin, y := time.Now(), &try{TB: t}
		do(y, turn)
		switch {
		case len(y.faults) == 0:
			return
		case turn < maxTries-1 && s.after(begin):
			t.Logf("the machine stood still; tried again for: %q", y.faults)
			continue
		}
		for _, fault := range y.faults {
			t.Error(fault)
		}
		return
	}
}
