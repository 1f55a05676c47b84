package bpf

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"mcp/bpf/bpftest"
)

func TestMain(m *testing.M) {
	if runChild() {
		return
	}
	goleak.VerifyTestMain(m)
}

// host is a namespace with one interface and nothing loaded.
func host(t *testing.T) (*bpftest.NetNS, *bpftest.End, string) {
	t.Helper()
	end := &bpftest.End{NS: bpftest.NewNetNS(t), Name: "end", Addrs: []string{"10.1.0.1/24"}}
	far := &bpftest.End{NS: bpftest.NewNetNS(t), Name: "far", Addrs: []string{"10.1.0.2/24"}}
	bpftest.Connect(t, end, far)
	return end.NS, end, bpftest.BPFFS(t) + "/plane"
}

func loadIn(ns *bpftest.NetNS, c Config) (p *Plane, err error) {
	return p, ns.Do(func() (err error) {
		p, err = Load(c)
		return err
	})
}

func openIn(ns *bpftest.NetNS, dir string) (p *Plane, err error) {
	err = ns.Do(func() (err error) {
		p, err = Open(dir)
		return err
	})
	return p, err
}

// nobody claims a leg.
func nobody(Orphan) bool { return false }

func wantError(t *testing.T, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("error is %v, want %v", got, want)
	}
}

func TestLifeCycle(t *testing.T) {
	ns, _, dir := host(t)
	_, err := openIn(ns, dir)
	wantError(t, err, ErrNotLoaded)
	wantError(t, Unload(dir), ErrNotLoaded)
	_, err = Inspect(dir)
	wantError(t, err, ErrNotLoaded)

	p, err := loadIn(ns, Config{Dir: dir})
	must(t, err)
	_, err = loadIn(ns, Config{Dir: dir})
	wantError(t, err, ErrLoaded)
	_, err = openIn(ns, dir)
	wantError(t, err, ErrInUse)
	wantError(t, Unload(dir), ErrInUse)
	_, err = p.AddLeg(addrPort("10.1.0.1", 20000), 1)
	must(t, err)
	must(t, p.Close())
	must(t, p.Close())

	// Another process finds what this one left.
	p, err = openIn(ns, dir)
	must(t, err)
	if p.Mode() != ModeGeneric || p.Reason() == "" {
		t.Errorf("mode is %s: %s", p.Mode(), p.Reason())
	}
	status, err := Inspect(dir)
	must(t, err)
	if status.Legs != 1 || len(status.Interfaces) != 2 || status.MaxLegs != 32768 {
		t.Errorf("%+v", status)
	}
	left, err := p.Adopt(nobody)
	must(t, err)
	if len(left.Removed) != 1 {
		t.Errorf("legs were left: %+v", left)
	}
	must(t, p.Close())
	must(t, Unload(dir))
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there", dir)
	}
	// Nothing stays on the interfaces: loading works again at once.
	p, err = loadIn(ns, Config{Dir: dir})
	must(t, err)
	must(t, p.Close())
	must(t, Unload(dir))
}

func TestOtherNamespaceIsRefused(t *testing.T) {
	ns, _, dir := host(t)
	p, err := loadIn(ns, Config{Dir: dir})
	must(t, err)
	must(t, p.Close())
	_, err = openIn(bpftest.NewNetNS(t), dir)
	wantError(t, err, ErrIncompatible)
	must(t, Unload(dir))
}

func TestOtherLayoutIsRefused(t *testing.T) {
	ns, _, dir := host(t)
	p, err := loadIn(ns, Config{Dir: dir})
	must(t, err)
	p.layout.Version++
	must(t, p.objects.Layout.Put(uint32(0), &p.layout))
	must(t, p.Close())
	_, err = openIn(ns, dir)
	wantError(t, err, ErrIncompatible)
	_, err = Inspect(dir)
	wantError(t, err, ErrIncompatible)
	_, err = Upgrade(dir)
	wantError(t, err, ErrIncompatible)
	must(t, Unload(dir))
}

// Whatever pin is missing, opening says so and unloading still works.
func TestBrokenStateIsUnloaded(t *testing.T) {
	ns, _, dir := host(t)
	for _, pin := range []string{"legs", "layout", "shapes", "programs", "link_*"} {
		p, err := loadIn(ns, Config{Dir: dir})
		must(t, err)
		must(t, p.Close())
		paths, err := filepath.Glob(filepath.Join(dir, pin))
		must(t, err)
		for _, path := range paths {
			must(t, os.RemoveAll(path))
		}
		_, err = openIn(ns, dir)
		wantError(t, err, ErrIncompatible)
		must(t, Unload(dir))
	}
}

// Whatever pin is missing or is something else, the error names it, and all is
// well when it is put back.
func TestEachPinIsMissed(t *testing.T) {
	ns, _, dir := host(t)
	_, _, err := installIn(ns, Config{Dir: dir})
	must(t, err)
	for name := range pinnedMaps(&relayMaps{}) {
		spoil(t, ns, dir, pinPath(dir, name), name)
	}
	for name := range pinnedPrograms(&relayPrograms{}) {
		spoil(t, ns, dir, programPath(dir, name), name)
	}
	p, err := openIn(ns, dir)
	must(t, err)
	must(t, errors.Join(p.Close(), Unload(dir)))
}

// spoil takes a pin away and puts others in its place, and back at last.
func spoil(t *testing.T, ns *bpftest.NetNS, dir, path, name string) {
	t.Helper()
	refused := func(with string) {
		t.Helper()
		p, err := openIn(ns, dir)
		if !errors.Is(err, ErrIncompatible) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s %s: %v", name, with, err)
		}
		if err == nil {
			must(t, p.Close())
		}
	}
	aside := path + "_aside"
	must(t, os.Rename(path, aside))
	refused("missing")
	m, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Hash, KeySize: 1, ValueSize: 1, MaxEntries: 1})
	must(t, err)
	defer m.Close()
	must(t, m.Pin(path))
	refused("another map")
	must(t, m.Unpin())
	must(t, os.Mkdir(path, 0o700))
	refused("a directory")
	must(t, os.Remove(path))
	filter, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.SocketFilter, License: "MIT",
		Instructions: asm.Instructions{asm.LoadImm(asm.R0, 0, asm.DWord), asm.Return()},
	})
	must(t, err)
	defer filter.Close()
	must(t, filter.Pin(path))
	refused("another program")
	must(t, filter.Unpin())
	must(t, os.Rename(aside, path))
}

func TestForeignProgramIsLeftAlone(t *testing.T) {
	ns, end, dir := host(t)
	var foreign relayObjects
	must(t, loadRelayObjects(&foreign, nil))
	defer foreign.Close()
	var l link.Link
	must(t, ns.Do(func() (err error) {
		l, err = link.AttachXDP(link.XDPOptions{Program: foreign.Probe, Interface: end.Index, Flags: link.XDPGenericMode})
		return err
	}))
	defer l.Close()
	for _, mode := range []Mode{ModeAuto, ModeGeneric, ModeNative} {
		_, err := loadIn(ns, Config{Dir: dir, Mode: mode})
		var busy *BusyError
		if !errors.As(err, &busy) || busy.Interface != end.Name {
			t.Errorf("%s: error is %v", mode, err)
		}
		left, err := filepath.Glob(dir + "*")
		must(t, err)
		if len(left) != 0 {
			t.Errorf("%s: left behind %v", mode, left)
		}
	}
}

func TestForcedModes(t *testing.T) {
	ns, end, dir := host(t)
	p, err := loadIn(ns, Config{Dir: dir, Mode: ModeNative, Interfaces: []string{end.Name}})
	must(t, err)
	interfaces, err := p.Interfaces()
	must(t, err)
	if p.Mode() != ModeNative || len(interfaces) != 1 || interfaces[0].Mode != ModeNative {
		t.Errorf("mode is %s on %+v", p.Mode(), interfaces)
	}
	if frames, err := p.Burst(); frames != 0 || err != nil {
		t.Errorf("a veth holds %d frames, %v", frames, err)
	}
	must(t, p.Close())
	must(t, Unload(dir))
	if _, err := loadIn(ns, Config{Dir: dir, Interfaces: []string{"nosuch"}}); err == nil {
		t.Error("an interface that is not there was taken")
	}
}

func TestPortsAndRoom(t *testing.T) {
	ns, _, dir := host(t)
	p, err := loadIn(ns, Config{Dir: dir, MaxLegs: 2})
	must(t, err)
	defer func() { must(t, errors.Join(p.Close(), Unload(dir))) }()
	first, err := p.AddLeg(addrPort("10.1.0.1", 20000), 1)
	must(t, err)
	_, err = p.AddLeg(addrPort("10.1.0.1", 20000), 1)
	wantError(t, err, ErrPortTaken)
	_, err = p.AddLeg(addrPort("10.1.0.1", 20002), 1)
	must(t, err)
	_, err = p.AddLeg(addrPort("10.1.0.1", 20004), 1)
	wantError(t, err, ErrFull)
	if n := counted(t, p, "mcp_plane_full_total"); n != 1 {
		t.Errorf("%v refused legs are counted", n)
	}
	for _, bad := range []string{"0.0.0.0", "::"} {
		if _, err := p.AddLeg(addrPort(bad, 20006), 1); err == nil {
			t.Errorf("a leg was opened on %s", bad)
		}
	}
	_, err = first.Close()
	must(t, err)
	_, err = first.Close()
	must(t, err)
	wantError(t, first.Configure(LegConfig{}), ErrClosed)
	_, err = p.AddLeg(addrPort("10.1.0.1", 20000), 1)
	must(t, err)
	if n := p.Legs(); n != 2 {
		t.Errorf("%d legs", n)
	}
}

// A leg that is ended twice leaves room for one other.
func TestALegLeavesItsPlaceOnce(t *testing.T) {
	ns, _, dir := host(t)
	p, err := loadIn(ns, Config{Dir: dir, MaxLegs: 2})
	must(t, err)
	_, err = p.AddLeg(addrPort("10.1.0.1", 20000), 1)
	must(t, err)
	must(t, p.Close())
	p, err = openIn(ns, dir)
	must(t, err)
	defer func() { must(t, errors.Join(p.Close(), Unload(dir))) }()
	_, err = p.Adopt(func(Orphan) bool {
		_, err := p.Adopt(nobody)
		must(t, err)
		return false
	})
	wantError(t, err, ErrClosed)
	for _, port := range []uint16{20000, 20002} {
		_, err = p.AddLeg(addrPort("10.1.0.1", port), 1)
		must(t, err)
	}
	_, err = p.AddLeg(addrPort("10.1.0.1", 20004), 1)
	wantError(t, err, ErrFull)
	if n := p.Legs(); n != 2 {
		t.Errorf("%d legs", n)
	}
}

// However many legs come and go, few at a time have few places, and each place rests in between.
func TestFewLegsHaveFewPlaces(t *testing.T) {
	ns, _, dir := host(t)
	p, err := loadIn(ns, Config{Dir: dir})
	must(t, err)
	defer func() { must(t, errors.Join(p.Close(), Unload(dir))) }()
	closed := make(map[uint32]int)
	for n := 1; n <= 2*rests+10; n++ {
		l, err := p.AddLeg(addrPort("10.1.0.1", 20000), 1)
		must(t, err)
		if l.Slot() > rests+1 {
			t.Fatalf("leg %d has place %d", n, l.Slot())
		}
		if before, was := closed[l.Slot()]; was && n-before <= rests {
			t.Fatalf("leg %d has the place that leg %d had", n, before)
		}
		closed[l.Slot()] = n
		_, err = l.Close()
		must(t, err)
	}
}

// An operator reads the maps by name.
func TestReadableMaps(t *testing.T) {
	bpftool, err := exec.LookPath("bpftool")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("needs bpftool, and in CI nothing is skipped for that")
		}
		t.Skip("needs bpftool")
	}
	r := newRig(t, rigOptions{mode: ModeGeneric, static: true})
	r.openLegs(t)
	must(t, r.callerLeg.Own(Owner{Call: "call-1", Role: "caller"}))
	r.run(t, r.fromCaller(voice(1, 1)).Bytes())
	for pin, words := range map[string][]string{
		"legs":   {`"port": 20000`, `"relay_to"`, `"peer_rtp"`, `"jitter_x16"`, `"last_seq"`, `"rx_relayed": 1`, `"drop_source"`},
		"owners": {`"call": "call-1"`, `"role": "caller"`, `"leg_id": `},
		"stats":  {`"packets"`, `RELAYED`, `DROP_SOURCE`},
		"ifaces": {`"name": "tocaller"`, `"reason"`},
		"layout": {`"version"`},
	} {
		args := []string{"map", "dump", "pinned", filepath.Join(r.dir, pin)}
		if pin == "legs" || pin == "owners" { // most slots are empty
			args[1] = "lookup"
			args = append(args, "key", fmt.Sprint(r.callerLeg.slot), "0", "0", "0")
		}
		out, err := exec.Command(bpftool, args...).CombinedOutput()
		must(t, err)
		for _, word := range words {
			if !strings.Contains(string(out), word) {
				t.Errorf("%s has no %s:\n%s", pin, word, out)
			}
		}
	}
}

func TestCollector(t *testing.T) {
	r := newRig(t, rigOptions{mode: ModeGeneric, static: true})
	r.openLegs(t)
	r.run(t, r.fromCaller(voice(1, 1)).Bytes())
	if counted(t, r.plane, "mcp_plane_legs") != 2 || counted(t, r.plane, "mcp_plane_packets_total,relayed") != 1 {
		t.Error("legs or packets are not counted")
	}
}

// counted is what a plane tells by a metric's name and the values of its labels.
func counted(t *testing.T, p *Plane, metric string) float64 {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	must(t, registry.Register(p))
	families, err := registry.Gather()
	must(t, err)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += "," + l.GetValue()
			}
			if name == metric {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	t.Fatalf("there is no %s", metric)
	return 0
}

// What the verifier makes of the programs, so that growth is seen.
func TestProgramSizes(t *testing.T) {
	bpftest.RequireRoot(t)
	var o relayObjects
	must(t, loadRelayObjects(&o, nil))
	defer o.Close()
	for _, p := range []*ebpf.Program{o.Relay, o.RelaySkb, o.Send, o.Change} {
		info, err := p.Info()
		must(t, err)
		walked, _ := info.VerifiedInstructions()
		size, err := info.TranslatedSize()
		must(t, err)
		t.Logf("%-10s %5d instructions, %6d walked by the verifier", info.Name, size/8, walked)
		if walked > 250_000 {
			t.Errorf("%s: the verifier walks %d instructions", info.Name, walked)
		}
	}
}
