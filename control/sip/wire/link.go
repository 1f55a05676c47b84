package wire

import (
	"net/netip"

	"github.com/emiago/sipgo/sip"
)

// Link is a way to a peer: one TCP connection, or a UDP socket and the peer's
// address. The zero Link leads nowhere.
type Link struct {
	carrier carrier
	remote  netip.AddrPort
}

// carrier is a socket: a stream that knows its one peer, or a packet socket.
type carrier interface {
	network() string
	// host is our address as a peer sees it.
	host(peer netip.AddrPort) netip.Addr
	// contactPort is the port at which the peer can reach us.
	contactPort() uint16
	write(raw []byte, to netip.AddrPort) error
	// watch calls back once, from the goroutine that reads the connection, when
	// it is gone. A packet socket never is.
	watch(func(error)) (forget func())
}

// Network is "tcp" or "udp".
func (l Link) Network() string { return l.carrier.network() }

// Remote is the peer's address.
func (l Link) Remote() netip.AddrPort { return l.remote }

// Valid tells a Link from the zero value.
func (l Link) Valid() bool { return l.carrier != nil }

// Reliable says whether the transport retransmits by itself.
func (l Link) Reliable() bool { return l.carrier.network() != "udp" }

// Open says whether the link can still be written to, as far as is known.
func (l Link) Open() bool {
	s, stream := l.carrier.(*stream)
	return l.carrier != nil && (!stream || !s.gone())
}

// Watch calls f once when the connection is gone; at once, on a goroutine of
// its own, if it is gone already.
func (l Link) Watch(f func(error)) (forget func()) { return l.carrier.watch(f) }

// SameCarrier says whether both go through the same socket.
func (l Link) SameCarrier(other Link) bool { return l.carrier == other.carrier }

// Host is our address as this peer sees it, before any translation on the way.
func (l Link) Host() netip.Addr { return l.carrier.host(l.remote) }

// Send sends a stamped request outside any transaction: the ACK to a 2xx.
func (l Link) Send(req *sip.Request) error { return l.write(encode(req)) }

func (l Link) write(raw []byte) error { return l.carrier.write(raw, l.remote) }

// replyLink is where responses to a request go: the same connection, or over
// UDP the source address with the port of rport (RFC 3581) or of the Via.
func replyLink(req *Request, from Link) Link {
	if from.Reliable() || req.hop.rport {
		return from
	}
	port := req.hop.port
	if port <= 0 || port > 65535 {
		port = sip.DefaultUdpPort
	}
	from.remote = netip.AddrPortFrom(from.remote.Addr(), uint16(port))
	return from
}

func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}
