package bpf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"

	"github.com/cilium/ebpf"
	"github.com/vishvananda/netlink"
)

// noteVLANs tells the programs which interfaces are VLANs and of what: routes
// lead to them, while frames arrive and leave, tagged, by the one below.
func noteVLANs(h *netlink.Handle, vlans *ebpf.Map) error {
	links, err := h.LinkList()
	if err != nil {
		return fmt.Errorf("list VLANs: %w", err)
	}
	present := make(map[uint32]bool)
	for _, l := range links {
		v, ok := l.(*netlink.Vlan)
		if !ok {
			continue
		}
		index := uint32(v.Index)
		present[index] = true
		entry := relayVlan{
			Ifindex: uint32(v.ParentIndex),
			Proto:   networkOrder(uint16(v.VlanProtocol)),
			Tci:     networkOrder(uint16(v.VlanId)),
		}
		if err := vlans.Put(index, &entry); err != nil {
			return fmt.Errorf("note VLAN %s: %w", v.Name, err)
		}
	}
	return forgetVLANs(vlans, present)
}

func forgetVLANs(vlans *ebpf.Map, present map[uint32]bool) error {
	var index uint32
	var entry relayVlan
	var gone []uint32
	it := vlans.Iterate()
	for it.Next(&index, &entry) {
		if !present[index] {
			gone = append(gone, index)
		}
	}
	err := it.Err()
	for _, index := range gone {
		err = errors.Join(err, vlans.Delete(index))
	}
	return err
}

// networkOrder turns a number so that its bytes lie in memory as they travel.
func networkOrder(n uint16) uint16 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], n)
	return binary.NativeEndian.Uint16(b[:])
}

// underVLANs puts in place of each VLAN interface the one that its frames use.
func underVLANs(chosen []net.Interface) ([]net.Interface, error) {
	var under []net.Interface
	seen := make(map[int]bool)
	for _, i := range chosen {
		l, err := netlink.LinkByIndex(i.Index)
		if err != nil {
			return nil, fmt.Errorf("look at interface %s: %w", i.Name, err)
		}
		if v, ok := l.(*netlink.Vlan); ok {
			parent, err := net.InterfaceByIndex(v.ParentIndex)
			if err != nil {
				return nil, fmt.Errorf("interface below VLAN %s: %w", i.Name, err)
			}
			i = *parent
		}
		if !seen[i.Index] {
			seen[i.Index] = true
			under = append(under, i)
		}
	}
	return under, nil
}
