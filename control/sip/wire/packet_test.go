package wire

import (
	"net/netip"
	"testing"
	"time"
)

// A socket bound to every address tells each peer the one that the kernel would send
// to it from, and does not ask the kernel each time.
func TestSources(t *testing.T) {
	p := &packet{addr: addrPort("0.0.0.0:5070")}
	link := Link{carrier: p, remote: addrPort("127.0.0.1:5060")}
	if host := link.Host(); host != netip.MustParseAddr("127.0.0.1") {
		t.Fatalf("our address as the peer sees it is %s", host)
	}
	p.sources.forget = time.Now().Add(time.Hour)
	if n := testing.AllocsPerRun(100, func() { link.Host() }); n != 0 {
		t.Errorf("%v allocations to find it again", n)
	}
	link.remote = addrPort("127.0.0.2:5060")
	p.sources.known[link.remote.Addr()] = netip.MustParseAddr("192.0.2.1")
	p.sources.forget = time.Now().Add(-time.Second)
	if host := link.Host(); host == netip.MustParseAddr("192.0.2.1") {
		t.Error("an address is remembered for longer than it should be")
	}
	p.sources.forget = time.Now().Add(time.Hour)
	for i := range 2 * maxSources {
		p.sources.to(netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 1, byte(i >> 8), byte(i)}), 5060))
	}
	if n := len(p.sources.known); n != maxSources {
		t.Errorf("the addresses for %d peers are remembered", n)
	}
}

func BenchmarkHost(b *testing.B) {
	link := Link{carrier: &packet{addr: addrPort("0.0.0.0:5070")}, remote: addrPort("127.0.0.1:5060")}
	b.Run("remembered", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			link.Host()
		}
	})
	b.Run("asked", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			sourceFor(link.remote)
		}
	})
}
