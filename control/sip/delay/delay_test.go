package delay

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestValuesAreDueInOrderAndTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var values []int
		var times []time.Duration
		l := New(800*time.Millisecond, func(v int) {
			values, times = append(values, v), append(times, time.Since(begin).Round(time.Millisecond))
		})
		for v, pause := range []time.Duration{0, 50, 50, 200, 5000} {
			time.Sleep(pause * time.Millisecond)
			l.Add(v)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		l.Stop()
		if want := []int{0, 1, 2, 3, 4}; !slices.Equal(values, want) {
			t.Errorf("came as %v, not %v", values, want)
		}
		for i, asked := range []time.Duration{0, 50, 100, 300, 5300} {
			if late := times[i] - (asked+800)*time.Millisecond; late < 0 || late > 100*time.Millisecond {
				t.Errorf("value %d was due %s after its time", i, late)
			}
		}
		if times[0] != times[2] {
			t.Errorf("the first three were due at %v", times[:3])
		}
	})
}

func TestNothingIsDueOnceStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := make(chan int)
		l := New(time.Second, func(v int) { told <- v })
		l.Add(1)
		l.Add(2)
		time.Sleep(2 * time.Second) // 1 is being told
		stopped := make(chan struct{})
		go func() {
			l.Stop()
			l.Stop()
			close(stopped)
		}()
		synctest.Wait()
		select {
		case <-stopped:
			t.Error("stopped while a value was being told")
		default:
		}
		if v := <-told; v != 1 {
			t.Errorf("%d came first", v)
		}
		<-stopped
		l.Add(3)
		time.Sleep(time.Minute)
	})
}

// BenchmarkLine is beside a timer for each value. Most of what signalling waits for
// runs out.
func BenchmarkLine(b *testing.B) {
	const wait = 10 * time.Millisecond
	b.Run("line", func(b *testing.B) {
		var due sync.WaitGroup
		l := New(wait, func(*int) { due.Done() })
		defer l.Stop()
		b.ReportAllocs()
		for b.Loop() {
			due.Add(1)
			l.Add(new(int))
		}
		due.Wait()
	})
	b.Run("timer", func(b *testing.B) {
		var due sync.WaitGroup
		b.ReportAllocs()
		for b.Loop() {
			due.Add(1)
			time.AfterFunc(wait, due.Done)
		}
		due.Wait()
	})
}
