// Package vxmltest helps the tests of vxml's readers: it finds the public suites,
// which lie beside the module, and holds inputs to what they may cost.
package vxmltest

import (
	"os"
	"path/filepath"
	"runtime/metrics"
	"syscall"
	"testing"
	"time"
)

// What one input may cost a reader.
const (
	MaxTime  = slower * 100 * time.Millisecond // of processor
	MaxBytes = larger * 64 << 20               // allocated in all, freed or not
)

// Suites and Attacks are the folders of suites beside the module. The environment
// may name other places, by SUITES and SUITES_SEC.
const (
	Suites  = "suites"
	Attacks = "suites-sec"
)

// Files returns the files of a folder of suites that match a pattern of
// filepath.Glob, and none where the folder is not there.
func Files(tb testing.TB, folder, pattern string) []string {
	tb.Helper()
	variable := map[string]string{Suites: "SUITES", Attacks: "SUITES_SEC"}[folder]
	tops := []string{os.Getenv(variable), filepath.Join(root(tb), "..", "shared", folder)}
	for _, top := range tops {
		found, err := filepath.Glob(filepath.Join(top, pattern))
		if err != nil {
			tb.Fatal(err)
		}
		if top != "" && len(found) > 0 {
			return found
		}
	}
	return nil
}

// Needed is Files for a test that is nothing without them: it is skipped, except
// in CI, which must have them.
func Needed(tb testing.TB, folder, pattern string) []string {
	tb.Helper()
	found := Files(tb, folder, pattern)
	switch {
	case len(found) > 0:
	case os.Getenv("CI") == "true":
		tb.Fatalf("%s/%s is not beside the module", folder, pattern)
	default:
		tb.Skipf("%s/%s is not beside the module", folder, pattern)
	}
	return found
}

// root is the module's folder.
func root(tb testing.TB) string {
	dir, err := os.Getwd()
	for err == nil {
		if _, missing := os.Stat(filepath.Join(dir, "go.mod")); missing == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			err = os.ErrNotExist
		}
		dir = filepath.Dir(dir)
	}
	tb.Fatalf("find the module: %v", err)
	return ""
}

// Read reads a file of a suite.
func Read(tb testing.TB, name string) []byte {
	tb.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

// Within runs f, which reads one input, and fails when that costs more than
// MaxTime or MaxBytes. Time is what the process had of the processors, so that a
// busy machine faults nobody; since the runtime's own work counts in it too, an
// input that seems dear is tried again and again, and the cheapest try counts.
func Within(tb testing.TB, f func()) {
	tb.Helper()
	cost{MaxTime, MaxBytes}.bounds(tb, f)
}

type cost struct {
	time  time.Duration
	bytes uint64
}

func (most cost) bounds(tb testing.TB, f func()) {
	tb.Helper()
	var least cost
	for try := range 8 {
		c := measure(f)
		if try == 0 {
			least = c
		}
		least = cost{min(least.time, c.time), min(least.bytes, c.bytes)}
		if least.time <= most.time && least.bytes <= most.bytes {
			return
		}
	}
	tb.Errorf("the input costs %v and %d bytes, of %v and %d", least.time, least.bytes, most.time, most.bytes)
}

func measure(f func()) cost {
	begin, before := processor(), allocated()
	f()
	return cost{processor() - begin, allocated() - before}
}

// processor is the time that the process has had.
func processor() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
