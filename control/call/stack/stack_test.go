package stack

import (
	"sync"
	"testing"
)

// descend goes as deep as a call does.
//
//go:noinline
func descend(n int) int {
	var frame [256]byte
	frame[n] = byte(n)
	if n == 0 {
		return 0
	}
	return descend(n-1) + int(frame[n])
}

// BenchmarkDescent has a new goroutine go deep, on a stack that grows on the way and on
// one that is deep enough.
func BenchmarkDescent(b *testing.B) {
	for _, way := range []struct {
		name  string
		begin func()
	}{{"growing", func() {}}, {"deepened", Deepen}} {
		b.Run(way.name, func(b *testing.B) {
			var tasks sync.WaitGroup
			for b.Loop() {
				tasks.Go(func() { way.begin(); descend(30) })
				tasks.Wait()
			}
		})
	}
}

func TestDeepenAllocatesNothing(t *testing.T) {
	if n := testing.AllocsPerRun(10, Deepen); n > 0 {
		t.Errorf("it allocates %v times", n)
	}
}
