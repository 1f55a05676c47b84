// Package privilege puts the capabilities of the binary's file into effect.
package privilege

import (
	"errors"
	"fmt"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Raise puts into effect every capability that the process may have. Those on the
// image's file are permitted, not effective: the kernel does not start a file with
// effective ones in a container that is denied any of them, and the image serves
// containers that need none (capabilities(7), "Capability-dumb binaries").
func Raise() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var caps [2]unix.CapUserData
	if err := unix.Capget(&header, &caps[0]); err != nil {
		return fmt.Errorf("read capabilities: %w", err)
	}
	raised := false
	for i := range caps {
		raised = raised || caps[i].Effective != caps[i].Permitted
		caps[i].Effective = caps[i].Permitted
	}
	if !raised {
		return nil
	}
	_, _, errno := syscall.AllThreadsSyscall(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&caps[0])), 0)
	switch {
	case errors.Is(errno, syscall.ENOTSUP):
		return errors.New("raise capabilities: a binary with C in it cannot; set effective ones on its file (setcap …=ep)")
	case errno != 0:
		return fmt.Errorf("raise capabilities: %w", errno)
	}
	return nil
}
