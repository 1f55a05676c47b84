package nic

import (
	"errors"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// RefreshNeighbors tells the kernel that stale neighbour entries are in use, so
// that it probes them. The relay reads them but does not use them as the stack
// does; the kernel would never find out that an address moved to another machine.
func RefreshNeighbors(h *netlink.Handle, indexes []int) error {
	var failed error
	for _, index := range indexes {
		for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
			entries, err := h.NeighList(index, family)
			failed = errors.Join(failed, err)
			for _, e := range entries {
				if e.State&netlink.NUD_STALE != 0 {
					e.Flags |= netlink.NTF_USE
					failed = errors.Join(failed, h.NeighSet(&e))
				}
			}
		}
	}
	return failed
}
