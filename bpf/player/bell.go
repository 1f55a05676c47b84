package player

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// bell is what the pacer sleeps by: until a time, exactly, or until it is rung, or
// until who holds the other end of its life is gone. The runtime's timers are good to
// a millisecond only.
type bell struct {
	fd   int
	life int // a pipe whose other end is closed at the end; negative: none

	// enter makes a system call: one that the runtime knows of, or a raw one, from
	// which the runtime cannot keep the thread from coming back.
	enter systemCall
	waits [2]unix.PollFd
	until unix.Timespec
}

type systemCall func(trap, a1, a2, a3, a4, a5, a6 uintptr) (r1, r2 uintptr, err syscall.Errno)

func newBell() (*bell, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("open event: %w", err)
	}
	return &bell{fd: fd, life: -1, enter: unix.Syscall6}, nil
}

// ring wakes the sleeper, or keeps it from falling asleep. It fails only when it
// was rung often already.
func (b *bell) ring() {
	one := [8]byte{1}
	_, _ = unix.Write(b.fd, one[:])
}

// wait waits for so many ns, and may return early. Ended: nobody needs the sleeper any more.
func (b *bell) wait(ns uint64, forever bool) (ended bool, err error) {
	var timeout uintptr
	enter := b.enter
	if forever {
		enter = unix.Syscall6 // the runtime's watch over its threads sleeps, too
	} else {
		b.until = unix.NsecToTimespec(int64(ns))
		timeout = uintptr(unsafe.Pointer(&b.until))
	}
	b.waits = [2]unix.PollFd{{Fd: int32(b.fd), Events: unix.POLLIN}, {Fd: int32(b.life), Events: unix.POLLIN}}
	n, _, failed := enter(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&b.waits)), uintptr(len(b.waits)), timeout, 0, 0, 0)
	runtime.KeepAlive(b)
	if failed == unix.EINTR {
		return false, nil
	}
	if failed != 0 {
		return false, fmt.Errorf("wait for what is due: %w", failed)
	}
	if n > 0 && b.waits[0].Revents != 0 {
		var count [8]byte
		_, _ = unix.Read(b.fd, count[:])
	}
	return n > 0 && b.waits[1].Revents != 0, nil
}

// pause waits, rung or not. False: nobody needs the sleeper any more.
func (b *bell) pause(d time.Duration) bool {
	for until := time.Now().Add(d); time.Until(until) > 0; {
		if ended, err := b.wait(uint64(max(0, time.Until(until))), false); ended {
			return false
		} else if err != nil {
			time.Sleep(d)
			return true
		}
	}
	return true
}

// rest lets others have the CPU for so long.
func (b *bell) rest(ns uint64) {
	b.until = unix.NsecToTimespec(int64(ns))
	_, _, _ = b.enter(unix.SYS_PPOLL, 0, 0, uintptr(unsafe.Pointer(&b.until)), 0, 0, 0) // it may be short
	runtime.KeepAlive(b)
}

func (b *bell) close() error { return unix.Close(b.fd) }

// listener reads a bell through the runtime, whose timers are good enough for it.
func (b *bell) listener() (*os.File, error) {
	fd, err := unix.FcntlInt(uintptr(b.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("listen to a bell: %w", err)
	}
	return os.NewFile(uintptr(fd), "player's news"), nil
}
