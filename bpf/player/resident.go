package player

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"mcp/bpf"
)

// Names of the two ends of the pair that the program is attached to; both stay
// down, and nothing ever passes them.
const (
	residence = "mcpprompt0"
	otherEnd  = "mcpprompt1"
)

// resident keeps a program in the kernel's table of XDP programs that it calls
// directly. A run of a program that is not there enters it before and removes it
// after, and waits each time until no CPU uses the old table: for 20 ms and more.
// Only programs of interfaces stay.
type resident struct {
	plane *bpf.Plane
	link  link.Link
}

func settle(plane *bpf.Plane, program *ebpf.Program) (*resident, error) {
	r := &resident{plane: plane}
	err := r.inPlane(func(h *netlink.Handle) error {
		if err := remove(h); err != nil { // of a process that died
			return err
		}
		attrs := netlink.NewLinkAttrs()
		attrs.Name = residence
		if err := h.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: otherEnd}); err != nil {
			return fmt.Errorf("make interface %s: %w", residence, err)
		}
		made, err := h.LinkByName(residence)
		if err != nil {
			return fmt.Errorf("find interface %s: %w", residence, err)
		}
		r.link, err = link.AttachXDP(link.XDPOptions{
			Program: program, Interface: made.Attrs().Index, Flags: link.XDPGenericMode,
		})
		if err != nil {
			return errors.Join(fmt.Errorf("attach to %s: %w", residence, err), remove(h))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

func (r *resident) close() error {
	return errors.Join(r.link.Close(), r.inPlane(remove))
}

// inPlane works in the plane's network namespace.
func (r *resident) inPlane(work func(*netlink.Handle) error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		done <- r.enter(work)
	}()
	return <-done
}

func (r *resident) enter(work func(*netlink.Handle) error) error {
	if err := r.plane.Enter(); err != nil {
		return err
	}
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("open route netlink: %w", err)
	}
	defer h.Close()
	return work(h)
}

// remove removes the pair, if it is there.
func remove(h *netlink.Handle) error {
	l, err := h.LinkByName(residence)
	var none netlink.LinkNotFoundError
	if errors.As(err, &none) {
		return nil
	}
	if err == nil {
		err = h.LinkDel(l)
	}
	if err != nil {
		return fmt.Errorf("remove interface %s: %w", residence, err)
	}
	return nil
}
