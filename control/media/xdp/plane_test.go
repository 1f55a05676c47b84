package xdp

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mcp/bpf"
	"mcp/bpf/bpftest"
	"mcp/control/media"
)

const patience = 20 * time.Second

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// host is a namespace in which both the far ends and the plane are, on loopback.
type host struct {
	ns  *bpftest.NetNS
	dir string
}

func newHost(t testing.TB) *host {
	t.Helper()
	return &host{ns: bpftest.NewNetNS(t), dir: bpftest.BPFFS(t) + "/plane"}
}

func (h *host) kernel(t testing.TB) (kernel *bpf.Plane) {
	t.Helper()
	must(t, h.ns.Do(func() (err error) {
		kernel, err = bpf.Open(h.dir)
		if errors.Is(err, bpf.ErrNotLoaded) {
			kernel, err = bpf.Load(bpf.Config{Dir: h.dir})
		}
		return err
	}))
	return kernel
}

func (h *host) plane(t testing.TB) *Plane {
	t.Helper()
	p, err := New(h.kernel(t), nil, slog.New(slog.DiscardHandler))
	must(t, err)
	t.Cleanup(func() {
		must(t, p.Close())
		must(t, p.Close())
		must(t, bpf.Unload(h.dir))
	})
	return p
}

func (h *host) socket(t testing.TB, port uint16) *net.UDPConn {
	t.Helper()
	var conn *net.UDPConn
	must(t, h.ns.Do(func() (err error) {
		conn, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(at(port)))
		return err
	}))
	t.Cleanup(func() { conn.Close() })
	return conn
}

// inbox keeps what a leg's receiver gets.
type inbox struct{ rtp, rtcp chan []byte }

func newInbox() inbox {
	return inbox{make(chan []byte, 100), make(chan []byte, 100)}
}

func (b inbox) RTP(p []byte, _ time.Time)  { b.rtp <- bytes.Clone(p) }
func (b inbox) RTCP(p []byte, _ time.Time) { b.rtcp <- bytes.Clone(p) }

func wait(t testing.TB, c <-chan []byte) []byte {
	t.Helper()
	select {
	case p := <-c:
		return p
	case <-time.After(patience):
		t.Fatal("nothing came to userspace")
		return nil
	}
}

func at(port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port)
}

func far(port uint16) media.FarEnd {
	return media.FarEnd{
		RTP: at(port), Events: 101, ClockRate: 8000, Ptime: 20 * time.Millisecond, Send: true, Receive: true,
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB, p *Plane, port uint16, r media.Receiver) media.PlaneLeg {
	t.Helper()
	l, err := p.Open(media.LegConfig{Local: at(port), SSRC: uint32(port), Receiver: r})
	must(t, err)
	return l
}

func read(t testing.TB, conn *net.UDPConn) []byte {
	t.Helper()
	b := make([]byte, 2000)
	must(t, conn.SetReadDeadline(time.Now().Add(patience)))
	n, err := conn.Read(b)
	must(t, err)
	return b[:n]
}

func TestRelayCopyAndSend(t *testing.T) {
	h := newHost(t)
	p := h.plane(t)
	if p.Mode() != "xdp-generic" || p.Reason() == "" {
		t.Errorf("mode is %s: %s", p.Mode(), p.Reason())
	}
	caller, server, control := h.socket(t, 4000), h.socket(t, 5000), h.socket(t, 4001)
	box := newInbox()
	from, to := open(t, p, 20000, box), open(t, p, 20002, nil)
	must(t, errors.Join(from.Connect(far(4000)), to.Connect(far(5000))))
	must(t, from.Route(media.Route{To: to, Copy: true}))

	voice := bpftest.RTP{Seq: 9, TS: 1, SSRC: 7, Payload: []byte("voice")}
	_, err := caller.WriteToUDPAddrPort(voice.Bytes(), at(20000))
	must(t, err)
	relayed, err := bpftest.ParseRTP(read(t, server))
	must(t, err)
	if relayed.SSRC != 20002 || string(relayed.Payload) != "voice" {
		t.Errorf("%+v", relayed)
	}
	if got := wait(t, box.rtp); !bytes.Equal(got, voice.Bytes()) {
		t.Errorf("copy is %x", got)
	}
	must(t, to.Send(media.Payload{Samples: 160, Data: []byte("prompt")}))
	prompt, err := bpftest.ParseRTP(read(t, server))
	must(t, err)
	if prompt.SSRC != relayed.SSRC || prompt.Seq != relayed.Seq+1 || !prompt.Marker {
		t.Errorf("after %+v came %+v", relayed, prompt)
	}
	report := []byte{0x80, 201, 0, 1, 0, 0, 0, 7}
	_, err = control.WriteToUDPAddrPort(report, at(20001))
	must(t, err)
	if got := wait(t, box.rtcp); !bytes.Equal(got, report) {
		t.Errorf("RTCP is %x", got)
	}
	must(t, from.SendRTCP(report))
	if got := read(t, control); !bytes.Equal(got, report) {
		t.Errorf("RTCP is %x", got)
	}
	stats, err := from.Close(nil)
	must(t, err)
	again, err := from.Close(nil)
	must(t, err)
	if stats.RxPackets != 1 || stats.RxUser != 1 || stats.RTCP != 1 || again.RxPackets != 1 {
		t.Errorf("%+v, then %+v", stats, again)
	}
}

func TestRefusals(t *testing.T) {
	h := newHost(t)
	p := h.plane(t)
	l := open(t, p, 20000, nil)
	if _, err := p.Open(media.LegConfig{Local: at(20000)}); !errors.Is(err, media.ErrPortTaken) {
		t.Errorf("port taken: %v", err)
	}
	if err := l.Send(media.Payload{}); err == nil {
		t.Error("a muted leg sends")
	}
	if err := l.SendRTCP([]byte{0x80}); err == nil {
		t.Error("a muted leg sends RTCP")
	}
	if err := l.Connect(media.FarEnd{RTP: at(4000)}); err == nil {
		t.Error("a far end without a clock rate is taken")
	}
	_, err := l.Close(nil)
	must(t, err)
	if err := l.Connect(far(4000)); err == nil {
		t.Error("a closed leg connects")
	}
	must(t, p.Close())
	if _, err := p.Open(media.LegConfig{Local: at(20000)}); !errors.Is(err, ErrClosed) {
		t.Errorf("closed plane: %v", err)
	}
}

// A process that died left legs; the next one starts with none.
func TestLegsLeftBehindAreEnded(t *testing.T) {
	h := newHost(t)
	died := h.kernel(t)
	l, err := died.AddLeg(at(20000), 1)
	must(t, err)
	must(t, l.Own(bpf.Owner{Call: "call-7"}))
	must(t, died.Close())
	var log bytes.Buffer
	p, err := New(h.kernel(t), nil, slog.New(slog.NewTextHandler(&log, nil)))
	must(t, err)
	t.Cleanup(func() { must(t, errors.Join(p.Close(), bpf.Unload(h.dir))) })
	if !strings.Contains(log.String(), "legs=1 calls=[call-7]") {
		t.Errorf("the log says %s", &log)
	}
	_, err = p.Open(media.LegConfig{Local: at(20000), Call: "call-8", Role: "caller"})
	must(t, err)
	legs, err := bpf.InspectLegs(h.dir)
	must(t, err)
	if len(legs) != 1 || legs[0].Owner.Call != "call-8" || legs[0].Owner.Role != "caller" {
		t.Errorf("%+v", legs)
	}
	status, err := bpf.Inspect(h.dir)
	must(t, err)
	if status.Legs != 1 {
		t.Errorf("%d legs", status.Legs)
	}
}
