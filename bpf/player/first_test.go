package player

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// One thread goes first, the player's, and only while there is a player. Not
// parallel: others' players would be counted, too.
func TestOneThreadGoesFirst(t *testing.T) {
	if err := tryFirst(); err != nil {
		t.Skipf("this process may not: %v", err)
	}
	r := newRig(t, rigOptions{})
	if r.player.Precedence() != First {
		t.Error("the player's thread does not go first")
	}
	s := r.ear(0).stream(StreamConfig{})
	r.must(s.Play(r.clip(speech(1600)), Options{}))
	if n := firstThreads(t); n != 1 {
		t.Errorf("%d threads go first", n)
	}
	r.must(r.player.Close())
	for deadline := time.Now().Add(time.Minute); firstThreads(t) != 0; { // the thread ends by itself
		if time.Now().After(deadline) {
			t.Fatal("a thread still goes first")
		}
		runtime.Gosched()
	}
}

// tryFirst does on a thread that ends.
func tryFirst() error {
	tried := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := goFirst(0)
		if err == nil {
			err = unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr}, 0)
		}
		tried <- err
	}()
	return <-tried
}

// firstThreads counts this process's threads of the nice value.
func firstThreads(t *testing.T) (count int) {
	t.Helper()
	paths, err := filepath.Glob("/proc/self/task/*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		_, rest, _ := strings.Cut(string(b), ") ")
		const nice = 16 // of the fields behind the name, proc(5)
		if fields := strings.Fields(rest); len(fields) > nice && fields[nice] == strconv.Itoa(foremost) {
			count++
		}
	}
	return count
}
