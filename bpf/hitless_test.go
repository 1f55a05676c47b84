package bpf

import (
	"encoding/binary"
	"errors"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"mcp/bpf/bpftest"
)

const (
	trafficRate = 1500 // packets a second
	longestGap  = 40 * time.Millisecond
	foreignMark = 0xbad
)

// traffic flows from the caller to the server, numbered, while attackers send the
// same from where they should not.
type traffic struct {
	stop     chan struct{}
	sending  sync.WaitGroup
	received sync.WaitGroup
	server   *net.UDPConn
	sent     []moment // by number
	arrived  map[uint32]time.Time
	twice    int
	foreign  int
}

// moment is between what a packet was sent: the machine may halt the test at
// either, which is no gap of the plane's.
type moment struct{ before, after time.Time }

func startTraffic(t *testing.T, r *rig) *traffic {
	t.Helper()
	f := &traffic{stop: make(chan struct{}), arrived: make(map[uint32]time.Time)}
	caller := newPhone(t, r.caller, r.callerPeer, r.callerLocal)
	f.server = newPhone(t, r.server, r.serverPeer, r.serverLocal).conn
	must(t, stampArrivals(f.server))
	must(t, f.server.SetReadBuffer(1<<21))
	must(t, r.server.Do(func() error {
		return netlink.RouteReplace(&netlink.Route{
			Dst: &net.IPNet{IP: net.ParseIP("10.1.0.0"), Mask: net.CIDRMask(24, 32)}, Gw: net.ParseIP("10.2.0.1"),
		})
	}))
	attackers := []*phone{
		newPhone(t, r.caller, addrPort("10.1.0.2", 4666), r.callerLocal),
		newPhone(t, r.server, addrPort("10.2.0.2", 4000), r.callerLocal),
	}
	f.received.Add(1)
	go f.receive()
	f.sending.Add(1)
	go f.send(caller, attackers)
	t.Cleanup(f.end)
	return f
}

// send keeps the rate also when it is late.
func (f *traffic) send(caller *phone, attackers []*phone) {
	defer f.sending.Done()
	start := time.Now()
	tick := time.NewTicker(time.Second / trafficRate)
	defer tick.Stop()
	for {
		for due := int(time.Since(start) * trafficRate / time.Second); len(f.sent) < due; {
			n := uint32(len(f.sent))
			packet, before := numbered(n, 0), time.Now()
			_, _ = caller.conn.WriteToUDPAddrPort(packet, caller.peer)
			f.sent = append(f.sent, moment{before, time.Now()})
			if n%10 == 0 {
				for _, a := range attackers {
					_, _ = a.conn.WriteToUDPAddrPort(numbered(n+5, foreignMark), a.peer)
				}
			}
		}
		select {
		case <-f.stop:
			return
		case <-tick.C:
		}
	}
}

func numbered(n, mark uint32) []byte {
	p := voice(uint16(n), n*frameTicks)
	binary.BigEndian.PutUint32(p.Payload, n)
	binary.BigEndian.PutUint32(p.Payload[4:], mark)
	return p.Bytes()
}

func (f *traffic) receive() {
	defer f.received.Done()
	packet, control := make([]byte, 2000), make([]byte, 200)
	for {
		n, oob, _, _, err := f.server.ReadMsgUDPAddrPort(packet, control)
		if err != nil {
			return
		}
		rtp, err := bpftest.ParseRTP(packet[:n])
		if err != nil || len(rtp.Payload) < 8 {
			continue
		}
		number := binary.BigEndian.Uint32(rtp.Payload)
		if binary.BigEndian.Uint32(rtp.Payload[4:]) == foreignMark {
			f.foreign++
			continue
		}
		if _, seen := f.arrived[number]; seen {
			f.twice++
		}
		f.arrived[number] = arrival(control[:oob])
	}
}

// stampArrivals asks the kernel to say when packets came, so that the test's own
// scheduling is not measured.
func stampArrivals(c *net.UDPConn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	return errors.Join(raw.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1)
	}), err)
}

func arrival(control []byte) time.Time {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return time.Now()
	}
	for _, m := range messages {
		if m.Header.Type == unix.SO_TIMESTAMPNS && len(m.Data) >= 16 {
			return time.Unix(int64(binary.NativeEndian.Uint64(m.Data)), int64(binary.NativeEndian.Uint64(m.Data[8:])))
		}
	}
	return time.Now()
}

func (f *traffic) end() {
	select {
	case <-f.stop:
		return
	default:
	}
	close(f.stop)
	f.sending.Wait()
	// What is on its way is on this machine; it arrives or never will.
	_ = f.server.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
	f.received.Wait()
}

// run lets traffic flow for a while: that is what the test is about.
func (f *traffic) run(d time.Duration) { <-time.After(d) }

// check ends the traffic and wants all of it to have arrived, once and in time.
func (f *traffic) check(t *testing.T) {
	t.Helper()
	f.end()
	lost, gap, between := 0, time.Duration(0), time.Duration(0)
	for n := range f.sent {
		at, ok := f.arrived[uint32(n)]
		if !ok {
			lost++
			continue
		}
		before, ok := f.arrived[uint32(n)-1]
		if ok {
			between = max(between, at.Sub(before))
			gap = max(gap, at.Sub(before)-f.sent[n].after.Sub(f.sent[n-1].before))
		}
	}
	t.Logf("%d packets, %d lost; at most %s between two, of which the plane's %s", len(f.sent), lost, between, gap)
	if lost != 0 || f.twice != 0 || f.foreign != 0 || gap > longestGap || len(f.sent) < trafficRate/2 {
		t.Errorf("of %d packets %d were lost, %d came twice, %d foreign ones passed, longest gap %s",
			len(f.sent), lost, f.twice, f.foreign, gap)
	}
}

// relayChild loads the plane in dir, or opens it, and relays between two legs of
// call "call-1"; a third is of "call-2".
func relayChild(args []string) error {
	dir, mode := args[0], Mode(args[1])
	p, err := Open(dir)
	if errors.Is(err, ErrNotLoaded) {
		p, err = Load(Config{Dir: dir, Mode: mode})
	}
	if err != nil {
		return err
	}
	if err := p.Receive(func(Event) {}); err != nil {
		return err
	}
	caller, err := p.AddLeg(addrPort("10.1.0.1", 20000), callerSSRC)
	if err != nil {
		return err
	}
	server, err := p.AddLeg(addrPort("10.2.0.1", 20002), serverSSRC)
	if err != nil {
		return err
	}
	other, err := p.AddLeg(addrPort("10.2.0.1", 20004), 1)
	if err != nil {
		return err
	}
	err = errors.Join(
		caller.Own(Owner{Call: "call-1", Role: "caller", Opened: time.Unix(1, 2)}),
		server.Own(Owner{Call: "call-1", Role: "server"}),
		other.Own(Owner{Call: "call-2"}),
		caller.Configure(legConfig(addrPort("10.1.0.2", 4000), server)),
		server.Configure(legConfig(addrPort("10.2.0.2", 5000), caller)),
	)
	if err != nil {
		return err
	}
	return sleep()
}

// hitlessRig is a child that relays, with traffic.
func hitlessRig(t *testing.T, o rigOptions) (*rig, *child, *traffic) {
	t.Helper()
	if testing.Short() {
		t.Skip("takes seconds of traffic")
	}
	r := newWires(t, o)
	t.Cleanup(func() { must(t, Unload(r.dir)) })
	c := startChild(t, r.ns, nil, "relay", r.dir, string(o.mode))
	t.Cleanup(c.kill)
	c.ready(t)
	f := startTraffic(t, r)
	f.run(500 * time.Millisecond)
	return r, c, f
}

var bothModes = []rigOptions{{mode: ModeNative, gro: true}, {mode: ModeGeneric}}

// A process that dies takes no packet with it, and the next one goes on where it was.
func TestKilledAndAdopted(t *testing.T) {
	for _, o := range bothModes {
		t.Run(string(o.mode), func(t *testing.T) {
			r, c, f := hitlessRig(t, o)
			c.kill()
			killed := time.Now()
			f.run(time.Second)
			r.adopt(t)
			r.wasHeard(t, killed)
			f.run(500 * time.Millisecond)
			f.check(t)
			s := r.stats(t, r.callerLeg)
			if s.RxPackets != uint64(len(f.sent)) || s.RxLost != 0 || s.Dropped["source"] == 0 {
				t.Errorf("counters did not go on: %+v", s)
			}
			r.goesOn(t)
		})
	}
}

// wasHeard sees that silence is measured while no process is there: what came since
// is known, and so is that nothing came.
func (r *rig) wasHeard(t *testing.T, since time.Time) {
	t.Helper()
	must(t, r.plane.Heard(func(id uint64, at time.Time) {
		if caller := id == r.callerLeg.ID(); caller != at.After(since) {
			t.Errorf("leg %x (the caller's: %t) was last heard at %s, the process was killed at %s", id, caller, at, since)
		}
	}))
}

// adopt takes over what the child left: call-1 goes on, call-2 does not.
func (r *rig) adopt(t *testing.T) {
	t.Helper()
	var err error
	r.plane, err = openIn(r.ns, r.dir)
	must(t, err)
	t.Cleanup(func() { must(t, r.plane.Close()) })
	must(t, r.plane.Receive(func(Event) {}))
	a, err := r.plane.Adopt(func(o Orphan) bool { return o.Call == "call-1" })
	must(t, err)
	if len(a.Legs) != 2 || len(a.Removed) != 1 || a.Removed[0].Call != "call-2" {
		t.Fatalf("adopted %+v", a)
	}
	for _, l := range a.Legs {
		if l.From.Role == "caller" {
			r.callerLeg = l.Leg
			if !l.From.Opened.Equal(time.Unix(1, 2)) || l.From.SSRC != callerSSRC {
				t.Errorf("%+v", l.From)
			}
		} else {
			r.serverLeg = l.Leg
		}
	}
	if want := legConfig(r.callerPeer, r.serverLeg); r.callerLeg.Config() != want {
		t.Errorf("configuration is %+v, want %+v", r.callerLeg.Config(), want)
	}
	left, err := r.plane.Orphans()
	must(t, err)
	if len(left) != 0 || r.plane.Legs() != 2 {
		t.Errorf("%d legs, orphans %+v", r.plane.Legs(), left)
	}
}

// goesOn uses adopted legs as any others.
func (r *rig) goesOn(t *testing.T) {
	t.Helper()
	before := r.stats(t, r.serverLeg)
	must(t, r.serverLeg.Send(Packet{PayloadType: audioType, Ticks: frameTicks, Data: []byte("prompt")}))
	if after := r.stats(t, r.serverLeg); after.TxPackets != before.TxPackets+1 {
		t.Errorf("%+v, then %+v", before, after)
	}
	must(t, r.callerLeg.Configure(legConfig(r.callerPeer, nil)))
	for _, l := range []*Leg{r.callerLeg, r.serverLeg} {
		_, err := l.Close()
		must(t, err)
	}
	again, err := r.plane.AddLeg(r.callerLocal, 1)
	must(t, err)
	_, err = again.Close()
	must(t, err)
	var slot uint32
	var owner relayOwner
	for it := r.plane.objects.Owners.Iterate(); it.Next(&slot, &owner); {
		if owner.LegId != 0 {
			t.Errorf("slot %d has an owner left: %+v", slot, owner)
		}
	}
}

// otherPrograms is this program's object with other programs that do the same.
func otherPrograms(t *testing.T) *ebpf.CollectionSpec {
	t.Helper()
	spec, err := loadRelay()
	must(t, err)
	for _, p := range spec.Programs {
		p.Instructions = slices.Insert(p.Instructions, 1, asm.Mov.Imm(asm.R0, 0))
	}
	return spec
}

// Programs are exchanged while another process holds the plane and packets flow.
func TestUpgradeUnderLoad(t *testing.T) {
	for _, o := range bothModes {
		t.Run(string(o.mode), func(t *testing.T) {
			r, c, f := hitlessRig(t, o)
			u := &upgrade{dir: r.dir, reached: ignore}
			swaps, err := u.run(otherPrograms(t))
			must(t, err)
			if len(swaps) != len(pinnedPrograms(&u.old)) || swaps[0].Old == swaps[0].New {
				t.Errorf("%+v", swaps)
			}
			f.run(300 * time.Millisecond)
			back, err := Upgrade(r.dir)
			must(t, err)
			if back[0].New != swaps[0].Old {
				t.Errorf("%+v, then %+v", swaps, back)
			}
			f.run(300 * time.Millisecond)
			f.check(t)
			r.wantAligned(t)
			c.kill()
		})
	}
}

// wantAligned wants every link to run the pinned program of its mode, and nothing
// that is not a plane's to be left.
func (r *rig) wantAligned(t *testing.T) {
	t.Helper()
	s, err := Inspect(r.dir)
	must(t, err)
	for _, i := range s.Interfaces {
		if !i.Attached || i.Upgrading {
			t.Errorf("%+v", i)
		}
	}
}

// A holder takes up what an upgrade pinned.
func TestHolderFollowsUpgrade(t *testing.T) {
	r := newRig(t, rigOptions{mode: ModeGeneric, static: true})
	r.openLegs(t)
	before := r.plane.calls.Load()
	_, err := (&upgrade{dir: r.dir, reached: ignore}).run(otherPrograms(t))
	must(t, err)
	must(t, r.serverLeg.Send(Packet{Ticks: frameTicks, Data: []byte("before")}))
	must(t, r.plane.followUpgrade())
	if r.plane.calls.Load() == before {
		t.Error("the former programs are in use")
	}
	must(t, r.serverLeg.Send(Packet{Ticks: frameTicks, Data: []byte("after")}))
	must(t, r.plane.followUpgrade())
	if s := r.stats(t, r.serverLeg); s.TxPackets != 2 {
		t.Errorf("%+v", s)
	}
}

// What differs is named, and nothing is touched.
func TestIncompatibleUpgradeIsRefused(t *testing.T) {
	r := newRig(t, rigOptions{mode: ModeGeneric, static: true})
	for word, spoil := range map[string]func(*ebpf.CollectionSpec){
		"map stats: pinned has":   func(s *ebpf.CollectionSpec) { s.Maps["stats"].Value = s.Maps["legs"].Key },
		"map legs: pinned has":    func(s *ebpf.CollectionSpec) { s.Maps["legs"].Key = s.Maps["layout"].Value },
		"room for 64 entries":     func(s *ebpf.CollectionSpec) { s.Maps["tx_ports"].MaxEntries = 65 },
		"map ifaces: pinned has ": func(s *ebpf.CollectionSpec) { s.Maps["ifaces"].Flags = 1 },
	} {
		spec := otherPrograms(t)
		spoil(spec)
		_, err := (&upgrade{dir: r.dir, reached: ignore}).run(spec)
		wantError(t, err, ErrIncompatible)
		if err != nil && !strings.Contains(err.Error(), word) {
			t.Errorf("%q does not say %q", err, word)
		}
	}
	r.wantAligned(t)
	must(t, r.plane.followUpgrade())
}

// Wherever a process dies, the next one finds what it can work with.
func TestDyingAtEachStep(t *testing.T) {
	if testing.Short() {
		t.Skip("loads the plane many times")
	}
	for _, tt := range []struct {
		verb, step string
		loaded     bool
	}{
		{"load", "made the directory", false},
		{"load", "attached", false},
		{"load", "pinned maps", false},
		{"load", "pinned programs", false},
		{"load", "published", true},
		{"upgrade", "pinned aside", true},
		{"upgrade", "link switched", true},
		{"upgrade", "exchanged", true},
		{"unload", "retired", false},
		{"unload", "detached", false},
	} {
		t.Run(tt.verb+" "+tt.step, func(t *testing.T) {
			ns, _, dir := host(t)
			if tt.verb != "load" {
				p, err := loadIn(ns, Config{Dir: dir})
				must(t, err)
				must(t, p.Close())
			}
			c := startChild(t, ns, nil, "step", tt.verb, dir, strings.ReplaceAll(tt.step, " ", "_"))
			if words := c.wait(t); words != "" {
				t.Fatalf("child says: %s", words)
			}
			p, err := openIn(ns, dir)
			if tt.loaded {
				must(t, err)
				(&rig{dir: dir}).wantAligned(t)
				if _, err := os.Stat(pinPath(dir, newProgramsDir)); !errors.Is(err, os.ErrNotExist) {
					t.Errorf("programs are left aside: %v", err)
				}
				_, err = Upgrade(dir)
				must(t, err)
			} else {
				wantError(t, err, ErrNotLoaded)
				p, err = loadIn(ns, Config{Dir: dir})
				must(t, err)
			}
			must(t, errors.Join(p.Close(), Unload(dir)))
			wantError(t, Unload(dir), ErrNotLoaded)
		})
	}
}
