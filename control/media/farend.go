package media

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
)

// ErrFarEnd says that a far end is nowhere that a call's audio may go. Whoever
// writes SDP chooses that address, and could turn the platform against itself,
// its host or its network.
var ErrFarEnd = errors.New("far end is refused")

// host is what tells far ends from the platform itself.
type host struct {
	networks []netip.Prefix         // of this host's own addresses, as they were at start
	taken    func(port uint16) bool // by a leg of ours
}

// networks are this host's addresses with their networks.
func networks() ([]netip.Prefix, error) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("list local addresses: %w", err)
	}
	var all []netip.Prefix
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			all = append(all, p)
		}
	}
	return all, nil
}

// check refuses what no leg at a local address may send to. A muted far end is none.
func (h host) check(f FarEnd, local netip.Addr) error {
	if !f.RTP.IsValid() {
		return nil
	}
	for _, at := range []netip.AddrPort{f.RTP, f.RTCP} {
		if !at.IsValid() {
			continue // RTCP follows RTP
		}
		if what := h.misplaced(netip.AddrPortFrom(at.Addr().Unmap(), at.Port()), local.Unmap()); what != "" {
			return fmt.Errorf("%w: %s is %s", ErrFarEnd, at, what)
		}
	}
	return nil
}

// misplaced says what is wrong with an address; nothing: it may be a far end's.
func (h host) misplaced(at netip.AddrPort, local netip.Addr) string {
	a := at.Addr()
	switch {
	case at.Port() == 0:
		return "without a port"
	case a.IsUnspecified():
		return "unspecified"
	case a.IsMulticast():
		return "multicast"
	case h.isBroadcast(a):
		return "broadcast"
	case a.IsLoopback() && !local.IsLoopback():
		return "loopback"
	case a.IsLinkLocalUnicast() && !local.IsLinkLocalUnicast():
		return "link-local" // where clouds keep their instances' metadata
	case h.isLocal(a, local) && h.taken(at.Port()):
		return "a leg of the platform"
	}
	return ""
}

func (h host) isLocal(a, local netip.Addr) bool {
	if a == local || a.IsLoopback() {
		return true
	}
	for _, n := range h.networks {
		if n.Addr() == a {
			return true
		}
	}
	return false
}

// isBroadcast knows the broadcast addresses of the networks this host is in.
func (h host) isBroadcast(a netip.Addr) bool {
	if a == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		return true
	}
	for _, n := range h.networks {
		if n.Addr().Is4() && n.Bits() < 31 && n.Contains(a) && a == last(n) {
			return true
		}
	}
	return false
}

// last is the highest address of an IPv4 network.
func last(n netip.Prefix) netip.Addr {
	b := n.Addr().As4()
	for bit := n.Bits(); bit < 32; bit++ {
		b[bit/8] |= 0x80 >> (bit % 8)
	}
	return netip.AddrFrom4(b)
}
