package bpf

import (
	"bytes"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"mcp/bpf/bpftest"
)

func (r *rig) changeLink(t *testing.T, e *bpftest.End, change func(netlink.Link) error) {
	t.Helper()
	must(t, e.NS.Do(func() error {
		l, err := netlink.LinkByName(e.Name)
		if err != nil {
			return err
		}
		return change(l)
	}))
}

// The interface to the far end goes down and up again in mid-call.
func TestInterfaceGoesDownAndUp(t *testing.T) {
	r := newRig(t, rigOptions{mode: ModeNative, gro: true})
	must(t, r.plane.Receive(func(Event) {}))
	r.openLegs(t)
	caller := newPhone(t, r.caller, r.callerPeer, r.callerLocal)
	server := newPhone(t, r.server, r.serverPeer, r.serverLocal)
	r.talk(t, caller, server, 10)
	r.changeLink(t, r.toServer, netlink.LinkSetDown)
	for i := range uint16(10) {
		caller.send(t, voice(10+i, uint32(10+i)*frameTicks).Bytes())
	}
	r.changeLink(t, r.toServer, netlink.LinkSetUp)
	r.talkUntil(t, caller, server)
}

// The far end moves to another machine: its neighbour entry changes.
func TestNeighborChanges(t *testing.T) {
	r := newRig(t, rigOptions{mode: ModeNative, gro: true, static: true})
	must(t, r.plane.Receive(func(Event) {}))
	r.openLegs(t)
	caller := newPhone(t, r.caller, r.callerPeer, r.callerLocal)
	server := newPhone(t, r.server, r.serverPeer, r.serverLocal)
	r.talk(t, caller, server, 10)
	moved := bytes.Clone(r.serverEnd.MAC)
	moved[5] ^= 0xff
	r.changeLink(t, r.serverEnd, func(l netlink.Link) error { return netlink.LinkSetHardwareAddr(l, moved) })
	must(t, r.toServer.Neighbor(r.serverPeer.Addr().String(), moved))
	r.talkUntil(t, caller, server)
}

// What no longer fits the MTU is refused by the stack, and counted; what fits flows on.
func TestSmallerMTU(t *testing.T) {
	r := newRig(t, rigOptions{mode: ModeNative, gro: true, static: true})
	must(t, r.plane.Receive(func(Event) {}))
	r.openLegs(t)
	caller := newPhone(t, r.caller, r.callerPeer, r.callerLocal)
	server := newPhone(t, r.server, r.serverPeer, r.serverLocal)
	long := voice(0, 0)
	long.Payload = make([]byte, 1000)
	caller.send(t, long.Bytes())
	server.receive(t)
	r.changeLink(t, r.toServer, func(l netlink.Link) error { return netlink.LinkSetMTU(l, 600) })
	must(t, r.serverLeg.Configure(legConfig(r.serverPeer, nil))) // asks for the way anew
	long.Seq++
	caller.send(t, long.Bytes())
	for deadline := time.Now().Add(patience); r.plane.unsent() == 0; {
		if time.Now().After(deadline) {
			t.Fatal("the packet that is too long was not counted")
		}
	}
	short := voice(2, 2*frameTicks)
	caller.send(t, short.Bytes())
	if got := server.receiveRTP(t); string(got.Payload) != string(short.Payload) {
		t.Error("what still fits did not come")
	}
}

// The far end's packets come by one interface while the route to it leads by another.
func TestAsymmetricRoutes(t *testing.T) {
	r := newRig(t, rigOptions{mode: ModeNative, gro: true, static: true})
	must(t, r.plane.Receive(func(Event) {}))
	const far = "192.0.2.9"
	must(t, r.route(far, "10.2.0.2"))
	for _, e := range []*bpftest.End{r.callerEnd, r.serverEnd} {
		r.changeLink(t, e, func(l netlink.Link) error {
			addr, err := netlink.ParseAddr(far + "/32")
			if err != nil {
				return err
			}
			return netlink.AddrAdd(l, addr)
		})
	}
	r.callerPeer = addrPort(far, 4000)
	r.openLegs(t)
	speaks := newPhone(t, r.caller, r.callerPeer, r.callerLocal)
	hears := newPhone(t, r.server, r.callerPeer, r.callerLocal)
	server := newPhone(t, r.server, r.serverPeer, r.serverLocal)
	r.talk(t, speaks, server, 10)
	r.talk(t, server, hears, 10)
}
