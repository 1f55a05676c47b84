package nic

import (
	"encoding/binary"
	"fmt"
	"net"

	"github.com/vishvananda/netlink"
)

// VLAN is what an interface of that kind adds to frames: its protocol and
// identifier, as they lie in a frame, and the interface that frames use.
type VLAN struct {
	Index, Below uint32
	Proto, TCI   uint16
}

// VLANs lists them: routes lead to them, while frames arrive and leave, tagged, by
// the interface below.
func VLANs(h *netlink.Handle) ([]VLAN, error) {
	links, err := h.LinkList()
	if err != nil {
		return nil, fmt.Errorf("list VLANs: %w", err)
	}
	var all []VLAN
	for _, l := range links {
		if v, ok := l.(*netlink.Vlan); ok {
			all = append(all, VLAN{
				Index: uint32(v.Index), Below: uint32(v.ParentIndex),
				Proto: NetworkOrder(uint16(v.VlanProtocol)), TCI: NetworkOrder(uint16(v.VlanId)),
			})
		}
	}
	return all, nil
}

// NetworkOrder turns a number so that its bytes lie in memory as they travel.
func NetworkOrder(n uint16) uint16 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], n)
	return binary.NativeEndian.Uint16(b[:])
}

// UnderVLANs puts in place of each VLAN interface the one that its frames use.
func UnderVLANs(chosen []net.Interface) ([]net.Interface, error) {
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
