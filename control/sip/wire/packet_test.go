package wire

import (
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"mcp/control/sip/backlog"
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

// stalled is a core that takes nothing until it is let go on.
type stalled struct {
	recorder
	asked, on chan struct{}
}

func (s stalled) Request(*ServerTx) {
	select {
	case s.asked <- struct{}{}:
	default:
	}
	<-s.on
}

// lines are a log's.
type lines chan string

func (l lines) Write(line []byte) (int, error) {
	select {
	case l <- string(line):
	default:
	}
	return len(line), nil
}

func TestLostDatagramsAreTold(t *testing.T) {
	core, log := stalled{asked: make(chan struct{}, 1), on: make(chan struct{})}, make(lines, 10)
	l, err := Listen(Config{T1: 10 * time.Millisecond, MaxMessage: 1 << 16, Core: core, Log: slog.New(slog.NewTextHandler(log, nil))},
		[]string{"udp:127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	l.Start()
	t.Cleanup(l.Close)
	t.Cleanup(func() { close(core.on) })
	p, c := peerOf(t, l, "udp")
	p.Send(c.Request("OPTIONS"))
	<-core.asked
	if n := l.Lost(); n != 0 {
		t.Errorf("%d lost before anything was", n)
	}
	for range backlog.Size / 512 { // each takes more of the kernel's memory than it has octets
		p.Raw(strings.Repeat("x", 1200))
	}
	if l.Lost() == 0 {
		t.Error("nothing is lost of what nobody reads")
	}
	select {
	case line := <-log:
		if !strings.Contains(line, "level=WARN") || !strings.Contains(line, "sip messages lost") {
			t.Error(line)
		}
	case <-time.After(10 * time.Second):
		t.Error("nothing is told")
	}
}

// A flood of garbage takes two lines of the log each ten seconds.
func TestGarbageIsToldOnce(t *testing.T) {
	log := make(lines, 1000)
	l, err := Listen(Config{T1: 10 * time.Millisecond, MaxMessage: 1 << 16, Log: slog.New(slog.NewTextHandler(log, nil))},
		[]string{"udp:127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	for range 500 {
		l.datagram([]byte("INVITE nonsense"), Link{remote: addrPort("192.0.2.1:5060")})
	}
	if line := <-log; !strings.Contains(line, "level=WARN") || !strings.Contains(line, "from=192.0.2.1:5060") || len(log) > 0 {
		t.Errorf("%d more than %s", len(log), line)
	}
	l.Start()
	select {
	case line := <-log:
		if !strings.Contains(line, "level=WARN") || !strings.Contains(line, "messages=500") {
			t.Error(line)
		}
	case <-time.After(10 * time.Second):
		t.Error("the others are not told")
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
