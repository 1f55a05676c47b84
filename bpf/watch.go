package bpf

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"mcp/bpf/ktime"
	"mcp/bpf/nic"
	"mcp/bpf/pin"
)

// refreshEvery is well below the time after which a call would notice.
const refreshEvery = 5 * time.Second

// watchedFor is how long programs rely on a round's word that routes are watched.
const watchedFor = 3 * refreshEvery

// watch keeps what the plane knows of the machine true: interfaces that go and
// come back, VLANs, neighbours that move, programs that an upgrade exchanged. It
// looks when the kernel tells of a change, and now and then.
type watch struct {
	handle  *netlink.Handle
	changes *nic.Changes
	netns   *os.File
	log     *slog.Logger
	stop    chan struct{}
	done    chan struct{}
	states  map[string]string // of interfaces, as last logged
	routing routing
}

// routing tells the programs whether the ways that they know are still good.
type routing struct {
	mu    sync.Mutex // guards the table, which has one entry
	table *ebpf.Map
}

// changed has the programs ask anew.
func (r *routing) changed() {
	r.note(func(e *relayRouting) { e.Changes++ })
}

// watched does so, too, and tells that changes are noticed for a while.
func (r *routing) watched() {
	r.note(func(e *relayRouting) { e.Changes, e.WatchedUntilNs = e.Changes+1, ktime.Now()+uint64(watchedFor) })
}

// note can only fail with the plane itself, which others report.
func (r *routing) note(change func(*relayRouting)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var e relayRouting
	if r.table.Lookup(uint32(0), &e) == nil {
		change(&e)
		_ = r.table.Put(uint32(0), &e)
	}
}

// openWatch looks at the network namespace it is called in.
func openWatch(table *ebpf.Map) (_ *watch, err error) {
	w := &watch{log: slog.New(slog.DiscardHandler), states: make(map[string]string), routing: routing{table: table}}
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	if w.netns, err = nic.NetNS(); err != nil {
		return nil, err
	}
	if w.handle, err = netlink.NewHandle(unix.NETLINK_ROUTE); err != nil {
		return nil, fmt.Errorf("open interface table: %w", err)
	}
	w.changes, err = nic.Subscribe(w.routing.changed)
	return w, err
}

// LogTo says where changes of interfaces are logged; before Receive.
func (p *Plane) LogTo(log *slog.Logger) { p.watch.log = log }

func (w *watch) start(p *Plane) {
	w.stop, w.done = make(chan struct{}), make(chan struct{})
	go w.run(p)
}

// close ends run, if it was started, and waits for it.
func (w *watch) close() {
	if w.stop != nil {
		close(w.stop)
		<-w.done
	}
	if w.changes != nil {
		w.changes.Close()
	}
	if w.handle != nil {
		w.handle.Close()
	}
	if w.netns != nil {
		w.netns.Close()
	}
}

// run goes on until close. What fails is tried again in the next round.
func (w *watch) run(p *Plane) {
	defer close(w.done)
	if err := nic.Enter(w.netns); err != nil {
		w.log.Error("interfaces are not watched", "error", err)
		return
	}
	tick := time.NewTicker(refreshEvery)
	defer tick.Stop()
	p.refresh()
	for {
		p.tend()
		select {
		case <-w.stop:
			return
		case <-w.changes.Signal():
		case <-tick.C:
			p.refresh()
		}
	}
}

// refresh looks at what the kernel tells no changes of. A round that fails is made
// up for by the next.
func (p *Plane) refresh() {
	_ = noteVLANs(p.watch.handle, p.objects.Vlans)
	p.watch.routing.watched()
	if err := p.followUpgrade(); err != nil {
		p.watch.log.Warn("upgraded programs are not used yet", "error", err)
	}
	interfaces, err := p.Interfaces()
	if err != nil {
		return
	}
	indexes := make([]int, len(interfaces))
	for n, i := range interfaces {
		indexes[n] = i.Index
	}
	_ = nic.RefreshNeighbors(p.watch.handle, indexes)
}

// tend attaches to interfaces that came back.
func (p *Plane) tend() {
	interfaces, err := p.Interfaces()
	if err != nil {
		p.watch.log.Warn("interfaces cannot be read", "error", err)
		return
	}
	for _, i := range interfaces {
		state, err := p.tendInterface(i)
		if err != nil {
			state = err.Error()
		}
		p.watch.note(i, state)
	}
}

// What becomes of an interface that the plane is to be attached to.
const (
	stateAttached = "attached"
	stateGone     = "gone"
)

// note logs what changed.
func (w *watch) note(i Interface, state string) {
	before, known := w.states[i.Name]
	w.states[i.Name] = state
	if before == state || !known && state == stateAttached {
		return
	}
	level := slog.LevelWarn
	if state == stateAttached {
		level = slog.LevelInfo
	}
	w.log.Log(context.Background(), level, "media interface", "interface", i.Name, "state", state, "mode", i.Mode)
}

// tendInterface makes an interface be attached and sent through, if it is there.
func (p *Plane) tendInterface(i Interface) (state string, err error) {
	live, err := isLinked(p.dir, i.Index)
	if err != nil {
		return "", err
	}
	if live {
		return stateAttached, p.tendPort(i)
	}
	l, err := p.watch.handle.LinkByName(i.Name)
	var missing netlink.LinkNotFoundError
	if errors.As(err, &missing) || err == nil && l.Attrs().Flags&net.FlagUp == 0 {
		return stateGone, nil
	}
	if err != nil {
		return "", err
	}
	return stateAttached, p.reattach(i, l.Attrs())
}

// isLinked tells whether the pinned link to an interface still has it.
func isLinked(dir string, index int) (bool, error) {
	l, err := link.LoadPinnedLink(pin.LinkPath(dir, index), nil)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer l.Close()
	info, err := l.Info()
	if err != nil {
		return false, err
	}
	x := info.XDP()
	return x != nil && x.Ifindex != 0, nil
}

// reattach puts the relay on an interface that came back under its name, in the
// mode it was in, and forgets the one that was.
func (p *Plane) reattach(was Interface, now *netlink.LinkAttrs) error {
	lock, err := lockPins(p.dir)
	if err != nil {
		return err
	}
	defer lock.Close()
	if live, err := isLinked(p.dir, now.Index); err != nil || live {
		return errors.Join(err, p.forgetInterface(was.Index))
	}
	if err := p.followLocked(); err != nil {
		return err
	}
	prog, flags := p.calls.Load().RelaySkb, link.XDPGenericMode
	if was.Mode == ModeNative {
		prog, flags = p.calls.Load().Relay, link.XDPDriverMode
	}
	i := net.Interface{Index: now.Index, Name: now.Name, HardwareAddr: now.HardwareAddr, Flags: now.Flags}
	l, err := attachXDP(prog, i, flags)
	if err != nil {
		return err
	}
	defer l.Close()
	if was.Index == now.Index {
		err = os.Remove(pin.LinkPath(p.dir, was.Index))
	}
	if err := errors.Join(err, p.note(l, i, was.Mode, was.Reason)); err != nil {
		return err
	}
	if was.Index != now.Index {
		if err := p.forgetInterface(was.Index); err != nil {
			return err
		}
	}
	return p.tendPort(Interface{Name: now.Name, Index: now.Index, Mode: was.Mode})
}

func (p *Plane) forgetInterface(index int) error {
	err := p.objects.Ifaces.Delete(uint32(index))
	if errors.Is(err, ebpf.ErrKeyNotExist) {
		err = nil
	}
	if e := os.Remove(pin.LinkPath(p.dir, index)); !errors.Is(e, os.ErrNotExist) {
		err = errors.Join(err, e)
	}
	return err
}

// tendPort lets the relay send through an interface, in native mode once frames
// are seen to leave. Until then userspace sends what would leave there.
func (p *Plane) tendPort(i Interface) error {
	var port uint32
	if err := p.objects.TxPorts.Lookup(uint32(i.Index), &port); !errors.Is(err, ebpf.ErrKeyNotExist) {
		return err
	}
	l, err := p.watch.handle.LinkByIndex(i.Index)
	if err != nil {
		return err
	}
	a := l.Attrs()
	if a.Flags&net.FlagRunning == 0 {
		return errors.New("attached, but has no carrier")
	}
	now := net.Interface{Index: a.Index, Name: a.Name, HardwareAddr: a.HardwareAddr, Flags: a.Flags}
	if i.Mode == ModeNative && !isLoopback(now) {
		if err := nic.ProbeTransmit(p.calls.Load().Probe, now); err != nil {
			return fmt.Errorf("attached, but userspace sends: %w", err)
		}
	}
	return p.openPort(now)
}

// noteVLANs tells the programs which interfaces are VLANs.
func noteVLANs(h *netlink.Handle, vlans *ebpf.Map) error {
	all, err := nic.VLANs(h)
	if err != nil {
		return err
	}
	present := make(map[uint32]bool)
	for _, v := range all {
		present[v.Index] = true
		entry := relayVlan{Ifindex: v.Below, Proto: v.Proto, Tci: v.TCI}
		if err := vlans.Put(v.Index, &entry); err != nil {
			return fmt.Errorf("note VLAN %d: %w", v.Index, err)
		}
	}
	return forgetVLANs(vlans, present)
}

func forgetVLANs(vlans *ebpf.Map, present map[uint32]bool) error {
	var index uint32
	var entry relayVlan
	var gone []uint32
	it := vlans.Iterate()
	for it.Next(&index, &entry) {
		if !present[index] {
			gone = append(gone, index)
		}
	}
	err := it.Err()
	for _, index := range gone {
		err = errors.Join(err, vlans.Delete(index))
	}
	return err
}
