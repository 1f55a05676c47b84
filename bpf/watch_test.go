package bpf

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"mcp/bpf/bpftest"
	"mcp/bpf/ktime"
)

// journal keeps log records for those who wait for them.
type journal struct {
	records chan string
}

func (j *journal) Enabled(context.Context, slog.Level) bool { return true }
func (j *journal) WithAttrs([]slog.Attr) slog.Handler       { return j }
func (j *journal) WithGroup(string) slog.Handler            { return j }

func (j *journal) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool {
		text += " " + a.String()
		return true
	})
	j.records <- text
	return nil
}

func (j *journal) await(t *testing.T, want string) {
	t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case got := <-j.records:
			if got == want {
				return
			}
			t.Logf("log: %s", got)
		case <-timeout:
			t.Fatalf("no log says: %s", want)
		}
	}
}

// reconnect makes the veth pair to the caller anew, as a container that restarts does.
func (r *rig) reconnect(t *testing.T) {
	t.Helper()
	bpftest.Connect(t, r.toCaller, r.callerEnd)
}

func (r *rig) disconnect(t *testing.T) {
	t.Helper()
	must(t, r.ns.Do(func() error {
		l, err := netlink.LinkByName(r.toCaller.Name)
		if err != nil {
			return err
		}
		return netlink.LinkDel(l)
	}))
}

// An interface that goes and comes back under its name is attached to again.
func TestInterfaceComesBack(t *testing.T) {
	for _, o := range bothModes {
		t.Run(string(o.mode), func(t *testing.T) {
			r := newRig(t, o)
			j := &journal{records: make(chan string, 100)}
			r.plane.LogTo(slog.New(j))
			must(t, r.plane.Receive(func(Event) {}))
			r.openLegs(t)
			mode := " mode=" + string(o.mode)
			for range 2 {
				r.disconnect(t)
				j.await(t, "media interface interface=tocaller state=gone"+mode)
				if i := r.inspect(t, "tocaller"); i.Attached || i.Sends {
					t.Errorf("%+v", i)
				}
				r.reconnect(t)
				j.await(t, "media interface interface=tocaller state=attached"+mode)
				if i := r.inspect(t, "tocaller"); !i.Attached || !i.Sends || i.Index != r.toCaller.Index {
					t.Errorf("%+v", i)
				}
			}
			caller := newPhone(t, r.caller, r.callerPeer, r.callerLocal)
			server := newPhone(t, r.server, r.serverPeer, r.serverLocal)
			r.talk(t, caller, server, 20)
			r.talk(t, server, caller, 20)
			if s := r.stats(t, r.callerLeg); s.RxRelayed == 0 || s.TxRelayed == 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// A route that changes is noticed when it does, not when somebody looks next.
func TestChangesOfRoutesAreNoticed(t *testing.T) {
	r := newRig(t, rigOptions{mode: ModeGeneric, static: true})
	for name, change := range map[string]func() error{
		"route": func() error { return r.route("192.0.2.9", "10.2.0.2") },
		"neighbour": func() error {
			return r.toServer.Neighbor("10.2.0.77", r.serverEnd.MAC)
		},
	} {
		t.Run(name, func(t *testing.T) {
			before := r.routing(t)
			must(t, change())
			for deadline := time.Now().Add(patience); r.routing(t).Changes == before.Changes; time.Sleep(time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatal("nobody noticed")
				}
			}
			if after := r.routing(t); after.WatchedUntilNs != before.WatchedUntilNs {
				t.Errorf("a round noticed it: %+v, then %+v", before, after)
			}
		})
	}
}

// A way is believed for long only while somebody watches the routes, and no longer
// than until they change.
func TestWaysAreBelievedWhileRoutesAreWatched(t *testing.T) {
	r := newRig(t, rigOptions{mode: ModeAuto, gro: true, static: true})
	r.openLegs(t)
	caller := newPhone(t, r.caller, r.callerPeer, r.callerLocal)
	server := newPhone(t, r.server, r.serverPeer, r.serverLocal)
	const moment, long = 50 * time.Millisecond, time.Second
	hop := func(watched time.Duration) (until time.Duration) {
		r.plane.watch.routing.note(func(n *relayRouting) {
			n.Changes++
			n.WatchedUntilNs = ktime.Now() + uint64(watched)
		})
		before := ktime.Now()
		r.talk(t, caller, server, 1)
		entry, err := r.serverLeg.read()
		must(t, err)
		if after := time.Duration(ktime.Now() - before); time.Duration(entry.Hop.UntilNs-before) > long+after {
			t.Errorf("believed until %d, at %d", entry.Hop.UntilNs, before)
		}
		return time.Duration(entry.Hop.UntilNs - before)
	}
	if until := hop(time.Hour); until < long {
		t.Errorf("watched: believed for %s", until)
	}
	start := time.Now()
	if until := hop(0); until > moment+time.Since(start) {
		t.Errorf("not watched: believed for %s", until)
	}
}

func (r *rig) routing(t *testing.T) (n relayRouting) {
	t.Helper()
	must(t, r.plane.objects.Routing.Lookup(uint32(0), &n))
	return n
}

// What is attached after an upgrade is what the upgrade brought.
func TestInterfaceComesBackUpgraded(t *testing.T) {
	r := newRig(t, rigOptions{mode: ModeGeneric})
	_, err := (&upgrade{dir: r.dir, reached: ignore}).run(otherPrograms(t))
	must(t, err)
	r.disconnect(t)
	r.reconnect(t)
	must(t, r.ns.Do(func() error {
		r.plane.tend()
		return nil
	}))
	if i := r.inspect(t, "tocaller"); !i.Attached || !i.Sends || i.Upgrading {
		t.Errorf("%+v", i)
	}
}

func (r *rig) inspect(t *testing.T, name string) Interface {
	t.Helper()
	s, err := Inspect(r.dir)
	must(t, err)
	if len(s.Interfaces) != 3 {
		t.Errorf("%+v", s.Interfaces)
	}
	for _, i := range s.Interfaces {
		if i.Name == name {
			return i
		}
	}
	t.Fatalf("%s is not listed: %+v", name, s.Interfaces)
	return Interface{}
}
