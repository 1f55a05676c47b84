package top

import (
	"context"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// whileWanted is a context that ends once q is pressed on a terminal, too, and what
// gives the terminal back as it was. Of what is no terminal it changes nothing.
func whileWanted(ctx context.Context, in *os.File) (wanted context.Context, restore func()) {
	fd := int(in.Fd())
	before, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return ctx, func() {}
	}
	// Keys come at once and are not shown; a read ends after a fifth of a second.
	keys := *before
	keys.Lflag &^= unix.ICANON | unix.ECHO
	keys.Cc[unix.VMIN], keys.Cc[unix.VTIME] = 0, 2
	if unix.IoctlSetTermios(fd, unix.TCSETS, &keys) != nil {
		return ctx, func() {}
	}
	wanted, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer cancel()
		buf := make([]byte, 16)
		for wanted.Err() == nil {
			n, err := unix.Read(fd, buf)
			if err != nil && err != unix.EINTR || slices.Contains(buf[:max(0, n)], 'q') {
				return
			}
		}
	}()
	return wanted, func() {
		cancel()
		<-done
		_ = unix.IoctlSetTermios(fd, unix.TCSETS, before) // nothing is left to do about it
	}
}
