package xdp

import (
	"net"
	"net/netip"
	"testing"

	"github.com/vishvananda/netlink"

	"mcp/bpf/bpftest"
	"mcp/control/media/planetest"
)

// TestConformance runs the plane in a namespace of its own between two hosts,
// each behind a veth pair.
func TestConformance(t *testing.T) {
	planetest.Run(t, func(t *testing.T) planetest.Setup {
		h := newHost(t)
		a := neighbor(t, h, "10.9.1")
		b := neighbor(t, h, "10.9.2")
		return planetest.Setup{Plane: h.plane(t), A: a, B: b}
	})
}

// neighbor makes a namespace whose hosts are .2 and .3 of a network in which the plane is .1.
func neighbor(t testing.TB, h *host, network string) planetest.Host {
	t.Helper()
	ns := bpftest.NewNetNS(t)
	far := &bpftest.End{NS: ns, Addrs: []string{network + ".2/24", network + ".3/24"}, GRO: true}
	bpftest.Connect(t, &bpftest.End{NS: h.ns, Addrs: []string{network + ".1/24"}}, far)
	must(t, ns.Do(func() error {
		return netlink.RouteAdd(&netlink.Route{LinkIndex: far.Index, Gw: net.ParseIP(network + ".1")})
	}))
	return planetest.Host{
		Addr:  netip.MustParseAddr(network + ".2"),
		Other: netip.MustParseAddr(network + ".3"),
		Local: netip.MustParseAddr(network + ".1"),
		Listen: func(network, address string) (conn net.PacketConn, err error) {
			err = ns.Do(func() error { conn, err = net.ListenPacket(network, address); return err })
			return conn, err
		},
	}
}
