// Package bpftest makes what tests of the media plane need: network namespaces
// joined by veth pairs, a private BPF file system, and packets taken apart and
// put together byte by byte. Tests of other packages use it, too.
package bpftest

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// RequireRoot skips a test that needs root; in CI it fails instead.
func RequireRoot(tb testing.TB) {
	tb.Helper()
	if os.Geteuid() == 0 {
		return
	}
	if os.Getenv("CI") == "true" {
		tb.Fatal("needs root, and in CI nothing is skipped for that")
	}
	tb.Skip("needs root")
}

// NetNS is a network namespace that lives as long as its test.
type NetNS struct {
	file *os.File
}

// NewNetNS makes a namespace whose loopback interface is up.
func NewNetNS(tb testing.TB) *NetNS {
	tb.Helper()
	RequireRoot(tb)
	ns, err := OpenNetNS()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := ns.Close(); err != nil {
			tb.Error(err)
		}
	})
	return ns
}

// OpenNetNS makes a namespace for programs that are not tests; see NewNetNS.
func OpenNetNS() (*NetNS, error) {
	type result struct {
		file *os.File
		err  error
	}
	made := make(chan result, 1)
	go func() {
		// The thread is not unlocked, so that it ends with the goroutine.
		runtime.LockOSThread()
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			made <- result{err: fmt.Errorf("make network namespace: %w", err)}
			return
		}
		file, err := os.Open("/proc/thread-self/ns/net")
		made <- result{file: file, err: err}
	}()
	r := <-made
	if r.err != nil {
		return nil, r.err
	}
	ns := &NetNS{file: r.file}
	if err := ns.Do(func() error { return setUp("lo") }); err != nil {
		return nil, errors.Join(err, ns.Close())
	}
	return ns, nil
}

// Close lets go of the namespace; it ends when nothing else uses it.
func (ns *NetNS) Close() error {
	return ns.file.Close()
}

// Do runs a function in the namespace. Sockets it opens stay there; goroutines
// it starts do not. It must not call FailNow, as it runs on another goroutine.
func (ns *NetNS) Do(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		back, err := os.Open("/proc/thread-self/ns/net")
		if err != nil {
			done <- err
			return
		}
		defer back.Close()
		if err := unix.Setns(int(ns.file.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("enter network namespace: %w", err)
			return
		}
		err = f()
		// A thread that cannot go back stays locked and ends with the goroutine.
		if unix.Setns(int(back.Fd()), unix.CLONE_NEWNET) == nil {
			runtime.UnlockOSThread()
		}
		done <- err
	}()
	return <-done
}

// BPFFS mounts a BPF file system for the test and returns its path.
func BPFFS(tb testing.TB) string {
	tb.Helper()
	RequireRoot(tb)
	dir := tb.TempDir()
	if err := unix.Mount("bpf", dir, "bpf", 0, ""); err != nil {
		tb.Fatalf("mount bpffs: %v", err)
	}
	tb.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			tb.Errorf("unmount bpffs: %v", err)
		}
	})
	return dir
}
