package tuning

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Threads that there are have the slack, and so has one that is started afterwards.
func TestSlacken(t *testing.T) {
	const slack = 321 * time.Microsecond
	if err := slacken(slack); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := slacken(50 * time.Microsecond); err != nil { // the kernel's own
			t.Error(err)
		}
	})
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil || len(threads) < 2 {
		t.Fatalf("%d threads, %v", len(threads), err)
	}
	for _, thread := range threads {
		if got := slackOf(t, thread.Name()); got != slack {
			t.Errorf("thread %s has %v", thread.Name(), got)
		}
	}
	fresh := make(chan string)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		tid := fmt.Sprint(unix.Gettid())
		fresh <- tid
		fresh <- tid
	}()
	if got := slackOf(t, <-fresh); got != slack {
		t.Errorf("a later thread has %v", got)
	}
	<-fresh
}

func slackOf(t *testing.T, thread string) time.Duration {
	t.Helper()
	text, err := os.ReadFile("/proc/" + thread + "/timerslack_ns")
	if err != nil {
		t.Fatal(err)
	}
	ns, err := time.ParseDuration(strings.TrimSpace(string(text)) + "ns")
	if err != nil {
		t.Fatal(err)
	}
	return ns
}
