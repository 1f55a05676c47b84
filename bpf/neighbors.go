package bpf

import (
	"errors"
	"fmt"
	"time"

	"github.com/cilium/ebpf"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// refreshEvery is well below the time after which a call would notice.
const refreshEvery = 5 * time.Second

// neighbors keeps the kernel's neighbour entries fresh. The relay reads them but
// does not use them as the stack does, so that the kernel would never find out
// that an address moved to another machine.
type neighbors struct {
	handle *netlink.Handle
	stop   chan struct{}
	done   chan struct{}
}

// openNeighbors looks at the network namespace it is called in.
func openNeighbors() (*neighbors, error) {
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open neighbour table: %w", err)
	}
	return &neighbors{handle: h, stop: make(chan struct{}), done: make(chan struct{})}, nil
}

// run refreshes until close, the notes on VLANs too. A round that fails is made
// up for by the next.
func (n *neighbors) run(interfaces []Interface, vlans *ebpf.Map) {
	defer close(n.done)
	tick := time.NewTicker(refreshEvery)
	defer tick.Stop()
	for {
		select {
		case <-n.stop:
			return
		case <-tick.C:
			_ = errors.Join(n.refresh(interfaces), noteVLANs(n.handle, vlans))
		}
	}
}

// refresh tells the kernel that stale entries are in use, so that it probes them.
func (n *neighbors) refresh(interfaces []Interface) error {
	var failed error
	for _, i := range interfaces {
		for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
			entries, err := n.handle.NeighList(i.Index, family)
			failed = errors.Join(failed, err)
			for _, e := range entries {
				if e.State&netlink.NUD_STALE != 0 {
					e.Flags |= netlink.NTF_USE
					failed = errors.Join(failed, n.handle.NeighSet(&e))
				}
			}
		}
	}
	return failed
}

// close ends run, if it was started, and waits for it.
func (n *neighbors) close(started bool) {
	close(n.stop)
	if started {
		<-n.done
	}
	n.handle.Close()
}
