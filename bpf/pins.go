package bpf

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"mcp/bpf/nic"
	"mcp/bpf/pin"
	"mcp/bpf/shape"
)

// What a plane's directory holds: maps under their names, links to interfaces,
// and a directory of programs, so that all programs can be exchanged at once.
const (
	programsDir    = "programs"
	newProgramsDir = "programs_new" // of an upgrade under way, or of one that died
)

// pins is the directory a plane lives in, held by this process.
type pins struct {
	dir     string
	hold    *os.File
	reached func(step string) // tests end the process there
}

// lockPins keeps others from changing pins; see package pin.
func lockPins(dir string) (*os.File, error) {
	lock, err := pin.Lock(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotLoaded
	}
	return lock, err
}

func pinPath(dir, name string) string {
	return filepath.Join(dir, name)
}

func programPath(dir, name string) string {
	return filepath.Join(dir, programsDir, name)
}

// pinnedMaps lists the maps by the names they are pinned under.
func pinnedMaps(o *relayMaps) map[string]**ebpf.Map {
	return map[string]**ebpf.Map{
		"legs": &o.Legs, "addresses": &o.Addresses, "ports": &o.Ports, "captured": &o.Captured,
		"stats": &o.Stats, "events": &o.Events, "vlans": &o.Vlans, "taps": &o.Taps, "tapping": &o.Tapping,
		"tx_ports": &o.TxPorts, "ifaces": &o.Ifaces, "layout": &o.Layout,
		"owners": &o.Owners, "shapes": &o.Shapes, "routing": &o.Routing,
	}
}

// pinnedPrograms lists the programs by the names they are pinned under.
func pinnedPrograms(o *relayPrograms) map[string]**ebpf.Program {
	return map[string]**ebpf.Program{
		"relay": &o.Relay, "relay_skb": &o.RelaySkb, "send": &o.Send, "change": &o.Change, "end": &o.End,
		"tap": &o.Tap, "sent": &o.Sent, "probe": &o.Probe,
	}
}

func pinMaps(dir string, o *relayMaps) error {
	for name, m := range pinnedMaps(o) {
		if err := (*m).Pin(pinPath(dir, name)); err != nil {
			return fmt.Errorf("pin map %s: %w", name, err)
		}
	}
	return nil
}

// pinPrograms makes a directory of programs.
func pinPrograms(dir string, o *relayPrograms) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	for name, prog := range pinnedPrograms(o) {
		if err := (*prog).Pin(pinPath(dir, name)); err != nil {
			return fmt.Errorf("pin program %s: %w", name, err)
		}
	}
	return nil
}

// openMaps opens the pinned maps and compares their shapes with what this program
// was built for. On an error the caller closes those that were opened.
func openMaps(dir string, spec *ebpf.CollectionSpec, o *relayMaps) error {
	for name, m := range pinnedMaps(o) {
		if err := openMap(dir, name, m); err != nil {
			return err
		}
	}
	if err := checkSize("shapes", o.Shapes, spec.Maps["shapes"]); err != nil {
		return err
	}
	for name, m := range pinnedMaps(o) {
		want := spec.Maps[name]
		if err := checkShape(name, want, o.Shapes); err != nil {
			return err
		}
		if err := checkSize(name, *m, want); err != nil {
			return err
		}
	}
	return nil
}

func openMap(dir, name string, m **ebpf.Map) (err error) {
	if *m, err = ebpf.LoadPinnedMap(pinPath(dir, name), nil); err != nil {
		return unusable("map "+name, err)
	}
	return nil
}

func openPrograms(dir string, o *relayPrograms) (err error) {
	for name, prog := range pinnedPrograms(o) {
		if *prog, err = ebpf.LoadPinnedProgram(programPath(dir, name), nil); err != nil {
			return unusable("program "+name, err)
		}
		if t := (*prog).Type(); t != ebpf.XDP {
			return fmt.Errorf("%w: program %s is of type %s, not %s", ErrIncompatible, name, t, ebpf.XDP)
		}
	}
	return nil
}

// unusable tells an operator what is wrong with a pin.
func unusable(what string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: the pin of %s is missing", ErrIncompatible, what)
	case errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0:
		return fmt.Errorf("open %s: %w", what, err)
	}
	return fmt.Errorf("%w: what is pinned as %s is something else: %w", ErrIncompatible, what, err)
}

// noteShapes writes beside the maps how they are laid out.
func noteShapes(spec *ebpf.CollectionSpec, shapes *ebpf.Map) error {
	for name, m := range spec.Maps {
		text, err := shape.Of(m)
		if err != nil {
			return err
		}
		var entry relayShape
		if len(text) >= len(entry.Text) {
			return fmt.Errorf("describe map %s: %d octets do not fit", name, len(text))
		}
		setString(entry.Text[:], text)
		if err := shapes.Put(shapeKey(name), &entry); err != nil {
			return fmt.Errorf("describe map %s: %w", name, err)
		}
	}
	return nil
}

func shapeKey(name string) (key [16]int8) {
	setString(key[:], name)
	return key
}

// checkSize makes sure that a pin is the map of its name, as far as its sizes tell.
func checkSize(name string, m *ebpf.Map, want *ebpf.MapSpec) error {
	if m.Type() == want.Type && m.KeySize() == want.KeySize && m.ValueSize() == want.ValueSize {
		return checkRoom(name, m, want)
	}
	return fmt.Errorf("%w: what is pinned as map %s is a %s of %d to %d octets, not a %s of %d to %d",
		ErrIncompatible, name, m.Type(), m.KeySize(), m.ValueSize(), want.Type, want.KeySize, want.ValueSize)
}

func checkRoom(name string, m *ebpf.Map, want *ebpf.MapSpec) error {
	if sizedAtLoad(name) || m.MaxEntries() == want.MaxEntries {
		return nil
	}
	return fmt.Errorf("%w: map %s has room for %d entries, not %d", ErrIncompatible, name, m.MaxEntries(), want.MaxEntries)
}

// checkShape compares what is written of a pinned map with what this program was built for.
func checkShape(name string, want *ebpf.MapSpec, shapes *ebpf.Map) error {
	text, err := shape.Of(want)
	if err != nil {
		return err
	}
	var entry relayShape
	if err := shapes.Lookup(shapeKey(name), &entry); err != nil {
		return fmt.Errorf("%w: map %s is not described: %w", ErrIncompatible, name, err)
	}
	if diff := shape.Diff(goString(entry.Text[:]), text); diff != "" {
		return fmt.Errorf("%w: map %s: %s", ErrIncompatible, name, diff)
	}
	return nil
}

// sizedAtLoad tells of maps whose room the configuration chooses.
func sizedAtLoad(name string) bool {
	return name == "legs" || name == "events" || name == "owners"
}

// readLayout reads what the pins in dir are; see relayLayout.check.
func readLayout(dir string) (relayLayout, error) {
	var l relayLayout
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return l, ErrNotLoaded
	}
	var m *ebpf.Map
	if err := openMap(dir, "layout", &m); err != nil {
		return l, err
	}
	defer m.Close()
	if m.Type() != ebpf.Array || m.KeySize() != 4 || int(m.ValueSize()) != len(bytesOf(&l)) {
		return l, fmt.Errorf("%w: what is pinned as map layout is a %s of %d to %d octets",
			ErrIncompatible, m.Type(), m.KeySize(), m.ValueSize())
	}
	if err := m.Lookup(uint32(0), &l); err != nil {
		return l, fmt.Errorf("%w: its layout cannot be read: %w", ErrIncompatible, err)
	}
	return l, nil
}

func (l *relayLayout) checkVersion() error {
	if l.Version == relayLayoutVersionLAYOUT_VERSION {
		return nil
	}
	return fmt.Errorf("%w: it has layout version %d, this program knows %d", ErrIncompatible, l.Version, relayLayoutVersionLAYOUT_VERSION)
}

// checkNetNS makes sure that the interfaces are ours.
func (l *relayLayout) checkNetNS() error {
	netns, err := nic.NetNSInode()
	if err != nil || l.Netns == netns {
		return err
	}
	return fmt.Errorf("%w: it serves network namespace %d, not ours, %d", ErrIncompatible, l.Netns, netns)
}

// alignLinks makes the links run the pinned programs. They run others after an
// upgrade that died on its way; the pins are what holds. It makes sure, too, that
// there is a link.
func alignLinks(dir string, o *relayObjects) error {
	links, err := pin.Links(dir)
	defer pin.CloseLinks(links)
	if err != nil {
		return unusable("a link", err)
	}
	if len(links) == 0 {
		return fmt.Errorf("%w: it is attached to no interface, the pins of its links are missing", ErrIncompatible)
	}
	for _, l := range links {
		prog, err := programFor(l.Index, o.Ifaces, &o.relayPrograms)
		if err != nil {
			return err
		}
		if _, err := updateLink(l, prog); err != nil {
			return err
		}
	}
	return nil
}

// programFor chooses by the mode that an interface is attached in.
func programFor(index int, ifaces *ebpf.Map, programs *relayPrograms) (*ebpf.Program, error) {
	var entry relayIface
	if err := ifaces.Lookup(uint32(index), &entry); err != nil {
		return nil, fmt.Errorf("%w: interface %d is linked but not listed: %w", ErrIncompatible, index, err)
	}
	if entry.Native != 0 {
		return programs.Relay, nil
	}
	return programs.RelaySkb, nil
}

// updateLink makes a link run a program, without a moment in which none runs, and
// says whether it ran another. An interface that is no more runs none.
func updateLink(l pin.Link, prog *ebpf.Program) (bool, error) {
	info, err := prog.Info()
	if err != nil {
		return false, err
	}
	if id, ok := info.ID(); l.Gone || ok && id == l.Program {
		return false, nil
	}
	err = l.Update(prog)
	if errors.Is(err, unix.ENOLINK) {
		return false, nil
	}
	return err == nil, err
}
