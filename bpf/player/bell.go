package player

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// bell is what the player sleeps by: until a time, exactly, or until it is rung.
// The runtime's timers are good to a millisecond only.
type bell struct{ fd int }

func newBell() (*bell, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("open event: %w", err)
	}
	return &bell{fd}, nil
}

// ring wakes the sleeper, or keeps it from falling asleep. It fails only when it
// was rung often already.
func (b *bell) ring() {
	one := [8]byte{1}
	_, _ = unix.Write(b.fd, one[:])
}

// wait may return early.
func (b *bell) wait(until time.Time, forever bool) {
	var timeout *unix.Timespec
	if !forever {
		left := time.Until(until)
		if left <= 0 {
			return
		}
		t := unix.NsecToTimespec(int64(left))
		timeout = &t
	}
	fds := []unix.PollFd{{Fd: int32(b.fd), Events: unix.POLLIN}}
	if n, err := unix.Ppoll(fds, timeout, nil); err == nil && n > 0 {
		var count [8]byte
		_, _ = unix.Read(b.fd, count[:])
	}
}

func (b *bell) close() error { return unix.Close(b.fd) }
