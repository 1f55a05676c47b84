package bpf

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"mcp/bpf/pin"
)

// What callers tell apart.
var (
	ErrNotLoaded    = errors.New("media plane is not loaded")
	ErrLoaded       = errors.New("media plane is loaded already")
	ErrIncompatible = errors.New("media plane is incompatible with this program, end its calls, unload it and load it again")
	ErrInUse        = errors.New("media plane is held by another process")
	ErrPermission   = errors.New("not permitted to use the media plane")
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
	case errors.Is(err, pin.ErrHeld):
		return fmt.Errorf("%w: %w", ErrInUse, err)
	case errors.Is(err, pin.ErrExists):
		return fmt.Errorf("%w: %w", ErrLoaded, err)
	case errors.Is(err, unix.EPERM), errors.Is(err, os.ErrPermission):
		return fmt.Errorf("%w: %w; %s", ErrPermission, err, privileges())
	case errors.Is(err, ebpf.ErrNotSupported), errors.Is(err, unix.ENOSYS):
		return fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	return err
}

// privileges says what it takes, and what of that this process lacks.
func privileges() string {
	const takes = "to load or upgrade it takes CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON; " +
		"to serve a loaded one, CAP_NET_RAW and to own the pins"
	var lacks []string
	held := effectiveCapabilities()
	for _, c := range []struct {
		name string
		bit  uint
	}{
		{"CAP_BPF", unix.CAP_BPF}, {"CAP_NET_ADMIN", unix.CAP_NET_ADMIN},
		{"CAP_PERFMON", unix.CAP_PERFMON}, {"CAP_NET_RAW", unix.CAP_NET_RAW},
	} {
		if held&(1<<c.bit) == 0 {
			lacks = append(lacks, c.name)
		}
	}
	if len(lacks) == 0 {
		return takes
	}
	return takes + "; this process lacks " + strings.Join(lacks, ", ")
}

func effectiveCapabilities() uint64 {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return 0
	}
	return uint64(data[1].Effective)<<32 | uint64(data[0].Effective)
}

// Unheard tells that the packet was refused because the far end is not to hear
// anything: it is on hold, or not known.
func (e *DropError) Unheard() bool {
	return e.Reason == "held" || e.Reason == "muted" || e.Reason == "unlatched"
}
