package bpf

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"mcp/bpf/bpftest"
)

// capability is one of those that this is about.
type capability struct {
	bit  uintptr
	name string
}

var (
	capBPF      = capability{unix.CAP_BPF, "CAP_BPF"}
	capNetAdmin = capability{unix.CAP_NET_ADMIN, "CAP_NET_ADMIN"}
	capPerfmon  = capability{unix.CAP_PERFMON, "CAP_PERFMON"}
	capNetRaw   = capability{unix.CAP_NET_RAW, "CAP_NET_RAW"}
)

// bits of all but one.
func bits(caps []capability, but capability) []uintptr {
	bits := []uintptr{}
	for _, c := range caps {
		if c != but {
			bits = append(bits, c.bit)
		}
	}
	return bits
}

// wantLack wants a child to have failed and to have named what it lacks.
func wantLack(t *testing.T, said string, lacks capability) {
	t.Helper()
	_, named, _ := strings.Cut(said, "this process lacks")
	if !strings.HasPrefix(said, "error: ") || !strings.Contains(named, lacks.name) {
		t.Errorf("without %s the child says: %s", lacks.name, said)
	}
}

// openTo lets the plain user into the directories a test made.
func openTo(t *testing.T, dir string) {
	t.Helper()
	fs := filepath.Dir(dir)
	must(t, os.Chown(fs, plainUser, plainUser))
	for at := filepath.Dir(fs); at != os.TempDir(); at = filepath.Dir(at) {
		must(t, os.Chmod(at, 0o755))
	}
}

// serveChild does what serving takes, in a plane that is loaded: it adopts what is
// there, opens a pair, sends.
func serveChild(args []string) error {
	p, err := Open(args[0])
	if err != nil {
		return err
	}
	if err := p.Receive(func(Event) {}); err != nil {
		return err
	}
	if _, err := p.Adopt(nobody); err != nil {
		return err
	}
	a, err := p.AddLeg(addrPort("10.1.0.1", 20000), 1)
	if err != nil {
		return err
	}
	b, err := p.AddLeg(addrPort("10.1.0.1", 20002), 2)
	if err != nil {
		return err
	}
	err = errors.Join(
		a.Own(Owner{Call: "c"}),
		a.Configure(legConfig(addrPort("10.1.0.2", 4000), b)),
		b.Configure(legConfig(addrPort("10.1.0.2", 5000), a)),
		b.Send(Packet{PayloadType: audioType, Ticks: frameTicks, Data: []byte("prompt")}),
	)
	if err != nil {
		return err
	}
	if _, err := p.Verdicts(); err != nil {
		return err
	}
	for _, i := range []func() error{
		func() error { return p.followUpgrade() },
		func() error { _, err := Inspect(args[0]); return err },
	} {
		if err := i(); err != nil {
			return err
		}
	}
	interfaces, err := p.Interfaces()
	if err != nil {
		return err
	}
	for _, i := range interfaces {
		if state, err := p.tendInterface(i); err != nil || state != stateAttached {
			return fmt.Errorf("interface %s is %s: %w", i.Name, state, err)
		}
	}
	return sleep()
}

// A loader needs three capabilities, and each of them; so does an upgrade but for
// the one to attach.
func TestLoaderPrivileges(t *testing.T) {
	ns, _, dir := host(t)
	openTo(t, dir)
	caps := []capability{capBPF, capNetAdmin, capPerfmon}
	for _, lacks := range caps {
		c := startChild(t, ns, bits(caps, lacks), "load", dir)
		wantLack(t, c.line(t), lacks)
		c.kill()
	}
	for _, verb := range []string{"load", "upgrade"} {
		c := startChild(t, ns, bits(caps, capability{}), verb, dir)
		c.ready(t)
		c.kill()
	}
	for _, lacks := range caps {
		c := startChild(t, ns, bits(caps, lacks), "upgrade", dir)
		wantLack(t, c.line(t), lacks)
		c.kill()
	}
	must(t, Unload(dir))
}

// A server that finds the plane loaded needs one capability, and nothing walks
// objects by their ids, which would take CAP_SYS_ADMIN.
func TestServerPrivileges(t *testing.T) {
	ns, _, dir := host(t)
	openTo(t, dir)
	_, _, err := installIn(ns, Config{Dir: dir, UID: plainUser, GID: plainUser})
	must(t, err)
	c := startChild(t, ns, []uintptr{}, "serve", dir)
	wantLack(t, c.line(t), capNetRaw)
	c.kill()
	for _, before := range []func(){
		func() {},
		func() {}, // now there are legs to adopt
		func() { _ = startChild(t, ns, nil, "step", "upgrade", dir, "link_switched").wait(t) },
		func() {
			_, err := Upgrade(dir) // by root, for the plain user
			must(t, err)
		},
	} {
		before()
		c := startChild(t, ns, []uintptr{capNetRaw.bit}, "serve", dir)
		c.ready(t)
		c.kill()
	}
	must(t, Unload(dir))
}

// A server attaches again with no more than it serves with.
func TestReattachingPrivileges(t *testing.T) {
	for _, o := range bothModes {
		t.Run(string(o.mode), func(t *testing.T) {
			r := newWires(t, o)
			openTo(t, r.dir)
			_, _, err := installIn(r.ns, Config{Dir: r.dir, Mode: o.mode, UID: plainUser, GID: plainUser})
			must(t, err)
			c := startChild(t, r.ns, []uintptr{capNetRaw.bit}, "watch", r.dir)
			c.ready(t)
			r.disconnect(t)
			c.await(t, "interface=tocaller state=gone")
			r.reconnect(t)
			c.await(t, "interface=tocaller state=attached")
			if i := r.inspect(t, "tocaller"); !i.Attached || !i.Sends {
				t.Errorf("%+v", i)
			}
			c.kill()
			must(t, Unload(r.dir))
		})
	}
}

// await waits for the child to log something.
func (c *child) await(t *testing.T, words string) {
	t.Helper()
	for {
		said := c.line(t)
		if strings.Contains(said, words) {
			return
		}
		t.Logf("the child logs: %s", said)
	}
}

// Pins of another user are out of reach, and the error says so.
func TestPinsOfAnotherUser(t *testing.T) {
	ns, _, dir := host(t)
	openTo(t, dir)
	_, _, err := installIn(ns, Config{Dir: dir})
	must(t, err)
	c := startChild(t, ns, []uintptr{capNetRaw.bit}, "serve", dir)
	if said := c.line(t); !strings.Contains(said, "own the pins") {
		t.Errorf("the child says: %s", said)
	}
	c.kill()
	must(t, Unload(dir))
}

func installIn(ns *bpftest.NetNS, c Config) (mode Mode, reason string, err error) {
	return mode, reason, ns.Do(func() (err error) {
		mode, reason, err = Install(c)
		return err
	})
}
