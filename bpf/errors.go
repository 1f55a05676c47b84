package bpf

import (
	"errors"
	"fmt"
	"os"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// What callers tell apart.
var (
	ErrNotLoaded    = errors.New("media plane is not loaded")
	ErrLoaded       = errors.New("media plane is loaded already")
	ErrIncompatible = errors.New("media plane is incompatible, unload it first")
	ErrInUse        = errors.New("media plane is held by another process")
	ErrPermission   = errors.New("not permitted to use BPF, it takes CAP_BPF, CAP_NET_ADMIN and CAP_NET_RAW")
	ErrUnsupported  = errors.New("this kernel cannot run the media plane")
	ErrPortTaken    = errors.New("local port is taken by another leg")
	ErrFull         = errors.New("media plane has no room for another leg")
	ErrClosed       = errors.New("leg is closed")
)

// BusyError tells that another XDP program runs on an interface.
type BusyError struct{ Interface string }

func (e *BusyError) Error() string {
	return fmt.Sprintf("interface %s runs another XDP program", e.Interface)
}

// DropError tells that the plane refused to send a packet, and why.
type DropError struct{ Reason string }

func (e *DropError) Error() string {
	return "packet not sent: " + e.Reason
}

// classify marks errors of the kernel with what they mean to a caller.
func classify(err error) error {
	for _, known := range []error{ErrNotLoaded, ErrLoaded, ErrIncompatible, ErrInUse, ErrPermission, ErrUnsupported} {
		if errors.Is(err, known) {
			return err
		}
	}
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, os.ErrPermission):
		return fmt.Errorf("%w: %w", ErrPermission, err)
	case errors.Is(err, ebpf.ErrNotSupported), errors.Is(err, unix.ENOSYS):
		return fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	return err
}
