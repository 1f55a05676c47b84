package ports

import (
	"fmt"
	"net"
	"net/netip"
)

// Host is what tells far ends from the platform itself. Whoever writes SDP
// chooses where audio goes, and could turn the platform against itself, its host
// or its network.
type Host struct {
	networks []netip.Prefix         // of this host's own addresses, as they were at start
	taken    func(port uint16) bool // by a leg of ours
}

// NewHost looks at this host's addresses; the pool's ports are the platform's own.
func NewHost(p *Pool) (Host, error) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return Host{}, fmt.Errorf("list local addresses: %w", err)
	}
	h := Host{taken: p.Taken}
	for _, a := range addrs {
		if n, err := netip.ParsePrefix(a.String()); err == nil {
			h.networks = append(h.networks, n)
		}
	}
	return h, nil
}

// Check says why no leg at a local address may send to one of these addresses.
// Those that are not valid are none.
func (h Host) Check(local netip.Addr, far ...netip.AddrPort) error {
	for _, at := range far {
		if !at.IsValid() {
			continue
		}
		if what := h.misplaced(netip.AddrPortFrom(at.Addr().Unmap(), at.Port()), local.Unmap()); what != "" {
			return fmt.Errorf("%s is %s", at, what)
		}
	}
	return nil
}

// misplaced says what is wrong with an address; nothing: it may be a far end's.
func (h Host) misplaced(at netip.AddrPort, local netip.Addr) string {
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

func (h Host) isLocal(a, local netip.Addr) bool {
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
func (h Host) isBroadcast(a netip.Addr) bool {
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
