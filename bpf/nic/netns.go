package nic

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// NetNS opens the network namespace of the calling thread.
func NetNS() (*os.File, error) {
	f, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return nil, fmt.Errorf("open network namespace: %w", err)
	}
	return f, nil
}

// NetNSInode is how a namespace is told from others.
func NetNSInode() (uint64, error) {
	var st unix.Stat_t
	if err := unix.Stat("/proc/thread-self/ns/net", &st); err != nil {
		return 0, fmt.Errorf("look at network namespace: %w", err)
	}
	return st.Ino, nil
}

// Enter ties the calling goroutine for good to a thread in a namespace: programs
// are attached, and maps of interfaces written, in the thread's. Where a process
// has one namespace only it takes no privilege.
func Enter(netns *os.File) error {
	runtime.LockOSThread()
	own, err := NetNSInode()
	if err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(netns.Fd()), &st); err != nil {
		return fmt.Errorf("look at network namespace: %w", err)
	}
	if st.Ino == own {
		return nil
	}
	if err := unix.Setns(int(netns.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter network namespace: %w", err)
	}
	return nil
}
