// Package bpf is the media plane in the kernel: XDP programs that relay RTP
// between legs, and the only Go code that touches programs and maps.
//
// A leg is an entry in a map, found by the local address and port; it needs no
// socket. The programs and maps live pinned in a directory of bpffs,
// so that an operator can read them with bpftool and media goes on while the
// process that controls it is away. Keys, values and reasons are generated
// from include/types.h.
package bpf

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"github.com/cilium/ebpf"
)

//go:generate go tool bpf2go -cc clang-14 -strip llvm-strip-14 -target bpfel -cflags "-O2 -g -mcpu=v3 -Wall -Werror" -type packet_event -type event_kind -type send_request -type change_request -type layout_version -type verdict -type index -type endpoint -type leg_config -type leg_ingress -type leg_egress -type leg_counts -type tap_record -type tap_request -type tap_answer -type tap_direction -type sent_request relay relay.bpf.c

// DefaultDir is where the plane is pinned unless told otherwise.
const DefaultDir = "/sys/fs/bpf/mcp"

// Mode says how the relay is attached to interfaces.
type Mode string

const (
	ModeAuto    Mode = "auto"    // native where frames are seen to leave, else generic
	ModeNative  Mode = "native"  // in the driver, or not at all
	ModeGeneric Mode = "generic" // in the stack: works everywhere, at about twice the cost
)

// Config says what to load. The zero value is usable.
type Config struct {
	// Dir is the pin directory; DefaultDir if empty. bpffs is mounted on
	// /sys/fs/bpf when Dir is below it and it is not mounted yet.
	Dir string
	// Interfaces to attach to; all that are up and have an address if empty.
	Interfaces []string
	Mode       Mode   // ModeAuto if empty
	MaxLegs    uint32 // 32768 if zero
	EventBytes uint32 // size of the ring buffer, a power of two; 4 MiB if zero
}

func (c Config) withDefaults() Config {
	if c.Dir == "" {
		c.Dir = DefaultDir
	}
	if c.Mode == "" {
		c.Mode = ModeAuto
	}
	if c.MaxLegs == 0 {
		c.MaxLegs = 32768
	}
	return c
}

// Plane is a loaded media plane held by this process. One process holds a
// plane at a time.
type Plane struct {
	pins     *pins
	objects  relayObjects
	raw      *rawSockets
	nearby   *neighbors
	layout   relayLayout
	slots    *slots
	verdicts map[relayVerdict]string
	unsent   atomic.Uint64
	copying  atomic.Int64 // legs whose audio goes to the handler of Receive

	mu     sync.Mutex // guards what follows
	closed bool
	reader *reader
	legs   map[uint64]*Leg
}

// Load builds the plane, attaches it and pins it, all or nothing, and holds
// it. ErrLoaded: there is one already, which Open takes over. ErrPermission:
// this process may not; ErrUnsupported: this kernel cannot.
//
// Load allows forwarding on the loopback interface, and nowhere else, because
// the kernel's route lookup for XDP refuses to answer without. Nothing is
// forwarded from there. It stays allowed.
func Load(cfg Config) (*Plane, error) {
	cfg = cfg.withDefaults()
	p, err := load(cfg)
	if err != nil {
		return nil, fmt.Errorf("load media plane: %w", classify(err))
	}
	return p, nil
}

func load(cfg Config) (_ *Plane, err error) {
	if err := mountBPFFS(cfg.Dir); err != nil {
		return nil, err
	}
	staging, err := newPins(cfg.Dir)
	if err != nil {
		return nil, err
	}
	p, err := newPlane(staging)
	if err != nil {
		return nil, errors.Join(err, staging.remove(), staging.unlock())
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, detachLinks(staging.dir), staging.remove(), p.release())
		}
	}()
	if err := loadObjects(cfg, &p.objects); err != nil {
		return nil, err
	}
	if err := p.attach(cfg); err != nil {
		return nil, err
	}
	if err := staging.pinObjects(&p.objects); err != nil {
		return nil, err
	}
	if err := p.openSockets(); err != nil {
		return nil, err
	}
	return p, staging.publish(cfg.Dir)
}

func newPlane(held *pins) (*Plane, error) {
	names, err := verdictNames()
	return &Plane{pins: held, verdicts: names, legs: make(map[uint64]*Leg)}, err
}

func loadObjects(cfg Config, objects *relayObjects) error {
	spec, err := loadRelay()
	if err != nil {
		return err
	}
	spec.Maps["legs"].MaxEntries = cfg.MaxLegs + 1 // the first slot stays empty
	if cfg.EventBytes != 0 {
		spec.Maps["events"].MaxEntries = cfg.EventBytes
	}
	if err := spec.LoadAndAssign(objects, nil); err != nil {
		return err
	}
	return nameFates(objects.Stats)
}

// Open takes over the plane pinned in dir. Its legs are as they were left; see
// Reset. ErrNotLoaded: there is none. ErrIncompatible: it is of another version
// or network namespace and must be unloaded first. ErrInUse: another process
// holds it.
func Open(dir string) (*Plane, error) {
	p, err := open(dir)
	if err != nil {
		return nil, fmt.Errorf("open media plane in %s: %w", dir, classify(err))
	}
	return p, nil
}

func open(dir string) (_ *Plane, err error) {
	held, err := openPins(dir)
	if err != nil {
		return nil, err
	}
	p, err := newPlane(held)
	if err != nil {
		return nil, errors.Join(err, held.unlock())
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.release())
		}
	}()
	if p.layout, err = readLayout(dir); err != nil {
		return nil, err
	}
	if err := errors.Join(p.layout.checkVersion(), p.layout.checkNetNS()); err != nil {
		return nil, err
	}
	if err := held.loadObjects(&p.objects); err != nil {
		return nil, err
	}
	if err := checkLinks(dir); err != nil {
		return nil, err
	}
	return p, p.openSockets()
}

func (p *Plane) openSockets() (err error) {
	if p.slots, err = newSlots(&p.objects); err != nil {
		return err
	}
	if p.raw, err = openRawSockets(); err != nil {
		return err
	}
	if p.nearby, err = openNeighbors(); err != nil {
		return err
	}
	return noteVLANs(p.nearby.handle, p.objects.Vlans)
}

// Mode is how the interfaces are attached: ModeNative or ModeGeneric.
func (p *Plane) Mode() Mode {
	return modeOf(p.layout.Generic == 0)
}

// Reason says in a sentence why it is that mode.
func (p *Plane) Reason() string {
	return goString(p.layout.Reason[:])
}

// Dir is where the plane is pinned.
func (p *Plane) Dir() string {
	return p.pins.dir
}

// Close lets go of the plane, which stays loaded: what is relayed goes on. It
// waits until the handler given to Receive has returned for the last time. It is
// idempotent; legs must not be used any more.
func (p *Plane) Close() error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil
	}
	p.closed = true
	r := p.reader
	p.mu.Unlock()
	var err error
	if r != nil {
		err = r.close()
		p.nearby.close(true)
		p.nearby = nil
	}
	return errors.Join(err, p.release())
}

func (p *Plane) release() error {
	var err error
	if p.nearby != nil {
		p.nearby.close(false)
		p.nearby = nil
	}
	if p.raw != nil {
		err = p.raw.close()
	}
	return errors.Join(err, p.objects.Close(), p.pins.unlock())
}

// Unload detaches and removes the plane pinned in dir, also one that is
// incomplete or of another version. ErrNotLoaded: there is none. ErrInUse: a
// process holds it.
func Unload(dir string) error {
	held, err := openPins(dir)
	if err != nil {
		return fmt.Errorf("unload media plane in %s: %w", dir, classify(err))
	}
	return errors.Join(detachLinks(dir), held.remove(), held.unlock())
}

func readLayout(dir string) (relayLayout, error) {
	var l relayLayout
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return l, ErrNotLoaded
	}
	m, err := ebpf.LoadPinnedMap(pinPath(dir, "layout"), nil)
	if err != nil {
		return l, missing("layout", err)
	}
	defer m.Close()
	if err := m.Lookup(uint32(0), &l); err != nil {
		return l, fmt.Errorf("%w: its layout cannot be read: %w", ErrIncompatible, err)
	}
	return l, nil
}

func (l *relayLayout) checkVersion() error {
	if l.Version == relayLayoutVersionLAYOUT_VERSION {
		return nil
	}
	return fmt.Errorf("%w: layout version %d, this program knows %d", ErrIncompatible, l.Version, relayLayoutVersionLAYOUT_VERSION)
}

// checkNetNS makes sure that the interfaces are ours.
func (l *relayLayout) checkNetNS() error {
	netns, err := currentNetNS()
	if err != nil || l.Netns == netns {
		return err
	}
	return fmt.Errorf("%w: it serves network namespace %d, not ours, %d", ErrIncompatible, l.Netns, netns)
}
