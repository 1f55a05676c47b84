package admission

import (
	"runtime"
	"testing"
)

func TestThreadsAreNotProcessors(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(runtime.NumCPU() + 1))
	if got, want := processors(), runtime.NumCPU(); got != want {
		t.Errorf("%d processors with a thread more than the %d there are", got, want)
	}
	runtime.GOMAXPROCS(1)
	if got := processors(); got != 1 {
		t.Errorf("%d processors with one thread", got)
	}
}
