package sipbench

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestCoreIsLeft runs itself again, since what leaveTo does is for good.
func TestCoreIsLeft(t *testing.T) {
	if runtime.NumCPU() < 2 {
		t.Skip("there is one core only")
	}
	const marked = "SIPBENCH_LEAVES_CORE"
	if os.Getenv(marked) == "" {
		again := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		again.Env = append(os.Environ(), marked+"=1")
		out, err := again.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	var before, after unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		t.Fatal(err)
	}
	if err := leaveTo(calleeCore); err != nil {
		t.Fatal(err)
	}
	for range 2 * runtime.NumCPU() {
		seen := make(chan error)
		go func() {
			runtime.LockOSThread() // and let it end with the goroutine
			seen <- unix.SchedGetaffinity(0, &after)
		}()
		if err := <-seen; err != nil {
			t.Fatal(err)
		}
		if after.IsSet(calleeCore) || after.Count() == 0 || before.IsSet(calleeCore) && after.Count() != before.Count()-1 {
			t.Errorf("a thread may run on %v, before it was %v", after, before)
		}
	}
}
