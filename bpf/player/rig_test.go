package player

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"mcp/bpf"
	"mcp/bpf/bpftest"
)

func TestMain(m *testing.M) {
	if os.Getenv(asPacer) != "" {
		if err := Pace(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// late is how long something may take on a busy machine.
const late = 20 * time.Second

const (
	ssrc        = 0x5eed0000 // of the first leg; the others follow
	payloadType = 0
)

// The rig: a plane and a far end, each in a namespace.
//
//	plane 10.3.0.1 ---- 10.3.0.2 far
type rig struct {
	testing.TB
	ns, far        *bpftest.NetNS
	end, farEnd    *bpftest.End // the plane's, and the other
	plane          *bpf.Plane
	player         *Player
	local, farAddr netip.Addr
}

type rigOptions struct {
	mode    bpf.Mode
	ipv6    bool
	unknown bool // the neighbour
	config  Config
}

func newRig(t testing.TB, o rigOptions) *rig {
	t.Helper()
	if o.mode == "" {
		o.mode = bpf.ModeNative
	}
	r := &rig{TB: t, ns: bpftest.NewNetNS(t), far: bpftest.NewNetNS(t)}
	local, far, bits := "10.3.0.1", "10.3.0.2", "/24"
	if o.ipv6 {
		local, far, bits = "fd03::1", "fd03::2", "/64"
	}
	r.local, r.farAddr = netip.MustParseAddr(local), netip.MustParseAddr(far)
	r.end = &bpftest.End{NS: r.ns, Name: "plane", Addrs: []string{local + bits}}
	r.farEnd = &bpftest.End{NS: r.far, Name: "far", Addrs: []string{far + bits}, GRO: true}
	bpftest.Connect(t, r.end, r.farEnd)
	if !o.unknown {
		r.must(r.end.Neighbor(far, r.farEnd.MAC))
	}
	dir := bpftest.BPFFS(t) + "/plane"
	r.must(r.ns.Do(func() (err error) {
		r.plane, err = bpf.Load(bpf.Config{Dir: dir, Mode: o.mode, Interfaces: []string{"lo", "plane"}})
		return err
	}))
	t.Cleanup(func() { r.must(errors.Join(r.plane.Close(), bpf.Unload(dir))) })
	r.must(r.plane.Receive(func(bpf.Event) {}))
	player, err := New(r.plane, o.config)
	r.must(err)
	r.player = player
	t.Cleanup(func() { r.must(errors.Join(player.Close(), player.Close())) })
	return r
}

func (r *rig) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatalf("%+v", err)
	}
}

// ear is a far end's socket.
type ear struct {
	*rig
	conn *net.UDPConn
	leg  *bpf.Leg
	ssrc uint32
}

// ear opens a leg and the far end that it sends to.
func (r *rig) ear(n int) *ear {
	r.Helper()
	conn := r.listen()
	return &ear{r, conn, r.leg(n, conn), ssrc + uint32(n)}
}

func (r *rig) listen() (conn *net.UDPConn) {
	r.Helper()
	r.must(r.far.Do(func() (err error) {
		conn, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(r.farAddr, 0)))
		return err
	}))
	r.must(enlarge(conn))
	r.Cleanup(func() { conn.Close() })
	return conn
}

// enlarge makes room for what arrives while a busy machine does not read.
func enlarge(conn *net.UDPConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var set error
	err = raw.Control(func(fd uintptr) {
		set = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 128<<20)
	})
	return errors.Join(err, set)
}

func (r *rig) leg(n int, to *net.UDPConn) *bpf.Leg {
	r.Helper()
	l, err := r.plane.AddLeg(netip.AddrPortFrom(r.local, uint16(20000+2*n)), ssrc+uint32(n))
	r.must(err)
	r.Cleanup(func() { l.Close() })
	r.must(l.Configure(legConfig(to)))
	return l
}

func legConfig(to *net.UDPConn) bpf.LegConfig {
	return bpf.LegConfig{
		Far:       bpf.FarEnd{RTP: to.LocalAddr().(*net.UDPAddr).AddrPort()},
		ClockRate: 8000, FrameTicks: 160, AudioType: payloadType, EventType: 101, MaySend: true, MayReceive: true,
	}
}

// heard is a packet and when it came.
type heard struct {
	bpftest.RTP
	at time.Time
}

func (e *ear) hear() heard {
	e.Helper()
	h, ok := e.within(late)
	if !ok {
		e.Fatalf("nothing is heard; %+v", e.player.Stats())
	}
	return h
}

// within waits for a packet of the leg's stream. Its time is the kernel's.
func (e *ear) within(d time.Duration) (heard, bool) {
	e.Helper()
	buf := make([]byte, 2048)
	e.must(e.conn.SetReadDeadline(time.Now().Add(d)))
	n, from, err := e.conn.ReadFromUDPAddrPort(buf)
	if errors.Is(err, unix.EAGAIN) || isTimeout(err) {
		return heard{}, false
	}
	e.must(err)
	p, err := bpftest.ParseRTP(buf[:n])
	e.must(err)
	if from != e.leg.Local() || p.SSRC != e.ssrc || p.Type != payloadType {
		e.Fatalf("%+v from %s", p, from)
	}
	return heard{p, time.Now()}, true
}

// any is a packet of any of the legs' streams.
func (e *ear) any() heard {
	e.Helper()
	buf := make([]byte, 2048)
	e.must(e.conn.SetReadDeadline(time.Now().Add(late)))
	n, err := e.conn.Read(buf)
	e.must(err)
	p, err := bpftest.ParseRTP(buf[:n])
	e.must(err)
	return heard{p, time.Now()}
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

func (e *ear) stream(c StreamConfig) *Stream {
	e.Helper()
	s, err := e.player.NewStream(e.leg, c)
	e.must(err)
	return s
}

func pcmu() Format { return Format{Name: "PCMU", Rate: 8000, Silence: 0xff} }

// speech is audio that is nowhere the same, and nowhere silent.
func speech(octets int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, octets)
	for i := range b {
		b[i] = byte(r.IntN(255))
	}
	return b
}

// clip is a whole one that is not shared.
func (r *rig) clip(audio []byte) *Clip {
	r.Helper()
	c, err := r.player.NewClip(pcmu())
	r.must(err)
	r.Cleanup(c.Release)
	_, err = c.Write(audio)
	r.must(err)
	c.End(nil)
	return c
}
