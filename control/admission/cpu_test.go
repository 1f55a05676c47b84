package admission

import (
	"runtime"
	"testing"
)

func TestThreadsAreNotProcessors(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(runtime.NumCPU() + 1))
	if got, want := processors(), float64(runtime.NumCPU()); got > want {
		t.Errorf("%v processors with a thread more than the %v there are", got, want)
	}
	runtime.GOMAXPROCS(1)
	if got := processors(); got > 1 {
		t.Errorf("%v processors with one thread", got)
	}
}
