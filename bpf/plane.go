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
	"io/fs"
	"os"
	"sync"
	"sync/atomic"

	"mcp/bpf/ktime"
	"mcp/bpf/memory"
	"mcp/bpf/pin"
	"mcp/bpf/rawip"
)

//go:generate go tool bpf2go -cc clang-14 -strip llvm-strip-14 -target bpfel -cflags "-O2 -g -mcpu=v3 -Wall -Werror" -type packet_event -type event_kind -type send_request -type change_request -type end_request -type layout_version -type verdict -type index -type endpoint -type leg_config -type leg_ingress -type leg_egress -type leg_counts -type tap_record -type tap_request -type tap_answer -type tap_direction -type sent_request relay relay.bpf.c

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
	// UID and GID are who may hold the plane without being root; this process if zero.
	UID, GID int

	install bool // not to be held
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
	pins
	objects relayObjects
	calls   atomic.Pointer[relayPrograms] // those in use; an upgrade exchanges them
	raw     *rawip.Sockets
	watch   *watch
	layout  relayLayout
	mapped
	verdicts map[relayVerdict]string
	counts   planeCounts
	copying  atomic.Int64 // legs whose audio goes to the handler of Receive
	clock    ktime.Clock

	mu     sync.Mutex // guards what follows
	closed bool
	reader *reader
	legs   map[uint64]*Leg
}

// mapped is what this process reads and writes of the maps without a system call.
type mapped struct {
	slots    *slots
	captured []memory.Value[uint64] // one: until when any leg is; guarded by the plane's lock
}

// openMapped maps what it needs.
func openMapped(o *relayObjects) (m mapped, err error) {
	if m.slots, err = newSlots(o); err != nil {
		return m, err
	}
	m.captured, err = memory.Map[uint64](o.Captured)
	return m, err
}

func (m *mapped) unmap() error {
	if m.slots == nil {
		return nil
	}
	return errors.Join(m.slots.close(), memory.Unmap(m.captured))
}

// planeCounts counts since the plane was opened.
type planeCounts struct {
	unsent atomic.Uint64 // packets that the network refused
	full   atomic.Uint64 // legs refused for want of room
	orphanCounts
}

// Load builds the plane, attaches it and pins it, all or nothing, and holds
// it. What a Load that died left is removed first. ErrLoaded: there is one
// already, which Open takes over. ErrPermission: this process may not;
// ErrUnsupported: this kernel cannot.
//
// Load allows forwarding on the loopback interface, and nowhere else, because
// the kernel's route lookup for XDP refuses to answer without. Nothing is
// forwarded from there. It stays allowed.
func Load(cfg Config) (*Plane, error) {
	p, err := load(cfg.withDefaults(), ignore)
	if err != nil {
		return nil, fmt.Errorf("load media plane: %w", classify(err))
	}
	return p, nil
}

// Install does what Load does, but does not hold the plane: a process that only
// loads needs no CAP_NET_RAW.
func Install(cfg Config) (Mode, string, error) {
	cfg = cfg.withDefaults()
	cfg.install = true
	p, err := load(cfg, ignore)
	if err != nil {
		return "", "", fmt.Errorf("load media plane: %w", classify(err))
	}
	return p.Mode(), p.Reason(), p.release()
}

func load(cfg Config, reached func(string)) (_ *Plane, err error) {
	if err := pin.Mount(cfg.Dir); err != nil {
		return nil, err
	}
	lock, err := pin.Lock(cfg.Dir)
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	if _, err := pin.Clean(cfg.Dir); err != nil {
		return nil, err
	}
	aside, err := pin.Build(cfg.Dir)
	if err != nil {
		return nil, err
	}
	reached("made the directory")
	p, err := newPlane(aside, reached)
	if err != nil {
		return nil, errors.Join(err, pin.Remove(aside))
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, pin.Remove(aside), p.release())
		}
	}()
	if err := p.build(cfg); err != nil {
		return nil, err
	}
	if err := pin.Publish(aside, cfg.Dir); err != nil {
		return nil, err
	}
	p.dir = cfg.Dir
	reached("published")
	return p, nil
}

// newPlane holds the pins in dir.
func newPlane(dir string, reached func(string)) (*Plane, error) {
	names, err := verdictNames()
	if err != nil {
		return nil, err
	}
	hold, err := pin.Hold(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotLoaded
	}
	if err != nil {
		return nil, err
	}
	held := pins{dir: dir, hold: hold, reached: reached}
	return &Plane{pins: held, verdicts: names, clock: ktime.New(), legs: make(map[uint64]*Leg)}, nil
}

// build fills the directory that the plane is in.
func (p *Plane) build(cfg Config) error {
	if err := loadObjects(cfg, &p.objects); err != nil {
		return err
	}
	if err := p.attach(cfg); err != nil {
		return err
	}
	if err := pinMaps(p.dir, &p.objects.relayMaps); err != nil {
		return err
	}
	p.reached("pinned maps")
	if err := pinPrograms(pinPath(p.dir, programsDir), &p.objects.relayPrograms); err != nil {
		return err
	}
	p.reached("pinned programs")
	if cfg.UID != 0 || cfg.GID != 0 {
		if err := pin.SetOwner(p.dir, cfg.UID, cfg.GID); err != nil {
			return err
		}
	}
	if err := p.openWatch(); err != nil || cfg.install {
		return err
	}
	return p.openCalls()
}

func loadObjects(cfg Config, objects *relayObjects) error {
	spec, err := loadRelay()
	if err != nil {
		return err
	}
	for _, name := range []string{"legs", "owners"} {
		spec.Maps[name].MaxEntries = cfg.MaxLegs + 1 // the first slot stays empty
	}
	if cfg.EventBytes != 0 {
		spec.Maps["events"].MaxEntries = cfg.EventBytes
	}
	if err := spec.LoadAndAssign(objects, nil); err != nil {
		return err
	}
	return errors.Join(nameFates(objects.Stats), noteShapes(spec, objects.Shapes))
}

// Open takes over the plane pinned in dir. Its legs are as they were left; see
// Adopt. ErrNotLoaded: there is none. ErrIncompatible: it is of another version
// or network namespace, or a pin is missing or not what it should be, and it must
// be unloaded first. ErrInUse: another process holds it.
func Open(dir string) (*Plane, error) {
	p, err := open(dir)
	if err != nil {
		return nil, fmt.Errorf("open media plane in %s: %w", dir, classify(err))
	}
	return p, nil
}

func open(dir string) (_ *Plane, err error) {
	p, err := newPlane(dir, ignore)
	if err != nil {
		return nil, err
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
	if err := p.openObjects(); err != nil {
		return nil, err
	}
	return p, errors.Join(p.openWatch(), p.openCalls())
}

// openObjects opens what is pinned, while no upgrade is under way.
func (p *Plane) openObjects() error {
	lock, err := lockPins(p.dir)
	if err != nil {
		return err
	}
	defer lock.Close()
	spec, err := loadRelay()
	if err != nil {
		return err
	}
	if err := openMaps(p.dir, spec, &p.objects.relayMaps); err != nil {
		return err
	}
	if err := openPrograms(p.dir, &p.objects.relayPrograms); err != nil {
		return err
	}
	// Without the right to, the programs an upgrade left aside when it died wait for the next.
	_ = os.RemoveAll(pinPath(p.dir, newProgramsDir))
	return alignLinks(p.dir, &p.objects)
}

func (p *Plane) openWatch() (err error) {
	if p.watch, err = openWatch(p.objects.Routing); err != nil {
		return err
	}
	return noteVLANs(p.watch.handle, p.objects.Vlans)
}

// openCalls makes ready for legs.
func (p *Plane) openCalls() (err error) {
	p.calls.Store(&p.objects.relayPrograms)
	if p.mapped, err = openMapped(&p.objects); err != nil {
		return err
	}
	p.raw, err = rawip.Open()
	return err
}

// Mode is how the interfaces are attached: ModeNative or ModeGeneric.
func (p *Plane) Mode() Mode {
	return modeOf(p.layout.Generic == 0)
}

// Reason says in a sentence why it is that mode.
func (p *Plane) Reason() string {
	return goString(p.layout.Reason[:])
}

// Clock reads the clock that the programs read.
func (p *Plane) Clock() ktime.Clock { return p.clock }

// Dir is where the plane is pinned.
func (p *Plane) Dir() string {
	return p.dir
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
	}
	return errors.Join(err, p.release())
}

func (p *Plane) release() error {
	err := p.unmap()
	if p.watch != nil {
		p.watch.close()
	}
	if p.raw != nil {
		err = errors.Join(err, p.raw.Close())
	}
	if in := p.calls.Load(); in != nil && in != &p.objects.relayPrograms {
		err = errors.Join(err, in.Close())
	}
	return errors.Join(err, p.objects.Close(), p.hold.Close())
}

// Unload detaches and removes the plane pinned in dir, also one that is
// incomplete or of another version, and what a Load or Unload that died left.
// ErrNotLoaded: there is nothing. ErrInUse: a process holds it.
func Unload(dir string) error {
	if err := unload(dir, ignore); err != nil {
		return fmt.Errorf("unload media plane in %s: %w", dir, classify(err))
	}
	return nil
}

func unload(dir string, reached func(string)) error {
	lock, err := lockPins(dir)
	if err != nil {
		return err
	}
	defer lock.Close()
	found, err := pin.Clean(dir)
	if err != nil {
		return err
	}
	hold, err := pin.Hold(dir)
	if errors.Is(err, fs.ErrNotExist) && found {
		return nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		return ErrNotLoaded
	}
	if err != nil {
		return err
	}
	defer hold.Close()
	aside, err := pin.Retire(dir)
	if err != nil {
		return err
	}
	reached("retired")
	if err := pin.Detach(aside); err != nil {
		return err
	}
	reached("detached")
	return pin.Remove(aside)
}
