package bpf

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

const (
	bpffsRoot  = "/sys/fs/bpf"
	linkPrefix = "link_"
)

// pins is the directory a plane lives in. A plane is built in a directory
// aside and renamed into place, so that it is there whole or not at all. The
// directory is locked as long as a process holds the plane.
type pins struct {
	dir  string
	lock *os.File
}

func pinPath(dir, name string) string {
	return filepath.Join(dir, name)
}

// mountBPFFS mounts bpffs at its usual place if dir is to be there.
func mountBPFFS(dir string) error {
	parent := filepath.Dir(filepath.Clean(dir))
	if ok, err := isBPFFS(parent); ok || err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if !strings.HasPrefix(filepath.Clean(dir), bpffsRoot+"/") {
		return fmt.Errorf("%s is not on a BPF file system", parent)
	}
	if err := unix.Mount("bpf", bpffsRoot, "bpf", 0, "mode=0755"); err != nil {
		return fmt.Errorf("mount bpffs on %s: %w", bpffsRoot, err)
	}
	return os.MkdirAll(parent, 0o755)
}

func isBPFFS(dir string) (bool, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return false, fmt.Errorf("look at %s: %w", dir, err)
	}
	return st.Type == unix.BPF_FS_MAGIC, nil
}

// newPins makes the directory aside in which the plane for dir is built.
func newPins(dir string) (*pins, error) {
	if _, err := os.Stat(dir); err == nil {
		return nil, fmt.Errorf("%w: in %s", ErrLoaded, dir)
	}
	aside := fmt.Sprintf("%s_new_%d", filepath.Clean(dir), os.Getpid())
	if err := os.Mkdir(aside, 0o755); err != nil {
		return nil, err
	}
	p, err := openPins(aside)
	if err != nil {
		return nil, errors.Join(err, os.Remove(aside))
	}
	return p, nil
}

// openPins locks a directory that exists.
func openPins(dir string) (*pins, error) {
	f, err := os.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotLoaded
	}
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = ErrInUse
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &pins{dir: dir, lock: f}, nil
}

func (p *pins) unlock() error {
	if p.lock == nil {
		return nil
	}
	err := p.lock.Close()
	p.lock = nil
	return err
}

// publish moves the directory to its final place, if that is free.
func (p *pins) publish(dir string) error {
	err := os.Rename(p.dir, dir)
	if errors.Is(err, fs.ErrExist) || errors.Is(err, unix.ENOTEMPTY) {
		return fmt.Errorf("%w: in %s", ErrLoaded, dir)
	}
	if err != nil {
		return err
	}
	p.dir = dir
	return nil
}

func (p *pins) remove() error {
	return os.RemoveAll(p.dir)
}

// pinned lists maps and programs by the names they are pinned under. The probe
// serves the start only.
func pinned(o *relayObjects) (map[string]**ebpf.Map, map[string]**ebpf.Program) {
	maps := map[string]**ebpf.Map{
		"legs": &o.Legs, "addresses": &o.Addresses, "ports": &o.Ports,
		"stats": &o.Stats, "events": &o.Events, "vlans": &o.Vlans, "taps": &o.Taps, "tapping": &o.Tapping,
		"tx_ports": &o.TxPorts, "ifaces": &o.Ifaces, "layout": &o.Layout,
	}
	programs := map[string]**ebpf.Program{
		"relay": &o.Relay, "relay_skb": &o.RelaySkb, "send": &o.Send, "change": &o.Change, "tap": &o.Tap, "sent": &o.Sent,
	}
	return maps, programs
}

func (p *pins) pinObjects(o *relayObjects) error {
	maps, programs := pinned(o)
	for name, m := range maps {
		if err := (*m).Pin(pinPath(p.dir, name)); err != nil {
			return fmt.Errorf("pin map %s: %w", name, err)
		}
	}
	for name, prog := range programs {
		if err := (*prog).Pin(pinPath(p.dir, name)); err != nil {
			return fmt.Errorf("pin program %s: %w", name, err)
		}
	}
	return nil
}

// loadObjects opens the pinned maps and programs and compares their shape with
// what this program was built for.
func (p *pins) loadObjects(o *relayObjects) error {
	spec, err := loadRelay()
	if err != nil {
		return err
	}
	maps, programs := pinned(o)
	for name, m := range maps {
		if *m, err = ebpf.LoadPinnedMap(pinPath(p.dir, name), nil); err != nil {
			return missing(name, err)
		}
		want := spec.Maps[name]
		if (*m).Type() != want.Type || (*m).KeySize() != want.KeySize || (*m).ValueSize() != want.ValueSize {
			return fmt.Errorf("%w: map %s has another layout", ErrIncompatible, name)
		}
	}
	for name, prog := range programs {
		if *prog, err = ebpf.LoadPinnedProgram(pinPath(p.dir, name), nil); err != nil {
			return missing(name, err)
		}
	}
	return nil
}

func missing(name string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s is missing", ErrIncompatible, name)
	}
	return fmt.Errorf("open %s: %w", name, err)
}

// pinnedLinks opens the links pinned in dir; the caller closes them.
func pinnedLinks(dir string) ([]link.Link, error) {
	paths, err := filepath.Glob(pinPath(dir, linkPrefix+"*"))
	if err != nil {
		return nil, err
	}
	links := make([]link.Link, 0, len(paths))
	for _, path := range paths {
		l, err := link.LoadPinnedLink(path, nil)
		if err != nil {
			return links, fmt.Errorf("open %s: %w", path, err)
		}
		links = append(links, l)
	}
	return links, nil
}

func closeLinks(links []link.Link) error {
	var err error
	for _, l := range links {
		err = errors.Join(err, l.Close())
	}
	return err
}

// detachLinks takes the programs off their interfaces at once; the kernel
// would do so some time after the pins are gone.
func detachLinks(dir string) error {
	links, err := pinnedLinks(dir)
	for _, l := range links {
		if e := l.Detach(); e != nil && !errors.Is(e, unix.ENOLINK) {
			err = errors.Join(err, e)
		}
	}
	return errors.Join(err, closeLinks(links))
}

// checkLinks makes sure that an interface is left that the relay is attached to.
func checkLinks(dir string) error {
	links, err := pinnedLinks(dir)
	defer closeLinks(links)
	if err != nil {
		return err
	}
	for _, l := range links {
		info, err := l.Info()
		if err != nil {
			return err
		}
		if x := info.XDP(); x != nil && x.Ifindex != 0 {
			return nil
		}
	}
	return fmt.Errorf("%w: the interfaces it was attached to are gone", ErrIncompatible)
}

func currentNetNS() (uint64, error) {
	var st unix.Stat_t
	if err := unix.Stat("/proc/thread-self/ns/net", &st); err != nil {
		return 0, fmt.Errorf("look at network namespace: %w", err)
	}
	return st.Ino, nil
}
