package socket

import (
	"log/slog"
	"net"
	"net/netip"
	"testing"

	"go.uber.org/goleak"

	"mcp/control/media/planetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func listen(network, address string) (net.PacketConn, error) {
	return net.ListenPacket(network, address)
}

func TestConformance(t *testing.T) {
	for name, addrs := range map[string][4]string{
		"IPv4": {"127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"},
		"IPv6": {"::1", "::1", "::1", ""},
	} {
		t.Run(name, func(t *testing.T) {
			planetest.Run(t, func(t *testing.T) planetest.Setup {
				p := New("test", slog.New(slog.DiscardHandler))
				t.Cleanup(func() {
					if err := p.Close(); err != nil {
						t.Error(err)
					}
					if len(p.legs) != 0 {
						t.Errorf("%d legs remain", len(p.legs))
					}
				})
				other, _ := netip.ParseAddr(addrs[3])
				local := netip.MustParseAddr(addrs[0])
				return planetest.Setup{
					Plane: p,
					A:     planetest.Host{Addr: netip.MustParseAddr(addrs[1]), Other: other, Local: local, Listen: listen},
					B:     planetest.Host{Addr: netip.MustParseAddr(addrs[2]), Local: local, Listen: listen},
				}
			})
		})
	}
}
