package bpf

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/cilium/ebpf"

	"mcp/bpf/pin"
)

// Swap is a program that an upgrade replaced. Tags are the kernel's digests of
// the programs.
type Swap struct {
	Program  string
	Old, New string
}

// Upgrade replaces the programs of the plane pinned in dir by those of this
// program, while packets flow. Maps, legs and interfaces stay. It says what it
// replaced. ErrIncompatible: the maps are laid out otherwise, and the error says
// where; nothing was changed then.
//
// The plane may be held by a running process. It goes on with the programs it
// opened until it notices, some seconds later at most; both do the same to the same maps,
// because programs that would not have another layout version.
func Upgrade(dir string) ([]Swap, error) {
	spec, err := loadRelay()
	if err != nil {
		return nil, err
	}
	swaps, err := (&upgrade{dir: dir, reached: ignore}).run(spec)
	if err != nil {
		return nil, fmt.Errorf("upgrade media plane in %s: %w", dir, classify(err))
	}
	return swaps, nil
}

// upgrade is one under way.
type upgrade struct {
	dir      string
	maps     relayMaps
	old, new relayPrograms
	reached  func(step string) // tests end the process there
}

func ignore(string) {}

// run builds the new programs aside, lets the links run them one by one, and
// exchanges the pins. Whatever of it was done when the process dies, each
// interface runs one of the two, and the next Open or Upgrade makes it one.
func (u *upgrade) run(spec *ebpf.CollectionSpec) (swaps []Swap, err error) {
	lock, err := lockPins(u.dir)
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	defer func() { err = errors.Join(err, u.close()) }()
	if err := u.prepare(spec); err != nil {
		return nil, err
	}
	aside := pinPath(u.dir, newProgramsDir)
	if err := os.RemoveAll(aside); err != nil {
		return nil, err
	}
	if err := errors.Join(pinPrograms(aside, &u.new), pin.CopyOwner(u.dir, aside)); err != nil {
		return nil, errors.Join(err, os.RemoveAll(aside))
	}
	u.reached("pinned aside")
	if err := u.switchLinks(&u.new); err != nil {
		return nil, errors.Join(err, u.switchLinks(&u.old), os.RemoveAll(aside))
	}
	if err := pin.Exchange(aside, pinPath(u.dir, programsDir)); err != nil {
		return nil, errors.Join(err, u.switchLinks(&u.old), os.RemoveAll(aside))
	}
	u.reached("exchanged")
	swaps, err = swapped(&u.old, &u.new)
	return swaps, errors.Join(err, os.RemoveAll(aside))
}

// prepare opens what is there and loads the new programs over its maps.
func (u *upgrade) prepare(spec *ebpf.CollectionSpec) error {
	layout, err := readLayout(u.dir)
	if err == nil {
		err = layout.checkVersion()
	}
	if err != nil {
		return err
	}
	if err := openMaps(u.dir, spec, &u.maps); err != nil {
		return err
	}
	if err := openPrograms(u.dir, &u.old); err != nil {
		return err
	}
	replace := make(map[string]*ebpf.Map)
	for name, m := range pinnedMaps(&u.maps) {
		replace[name] = *m
		spec.Maps[name].MaxEntries = (*m).MaxEntries()
	}
	return spec.LoadAndAssign(&u.new, &ebpf.CollectionOptions{MapReplacements: replace})
}

func (u *upgrade) switchLinks(to *relayPrograms) error {
	links, err := pin.Links(u.dir)
	defer pin.CloseLinks(links)
	if err != nil {
		return unusable("a link", err)
	}
	for _, l := range links {
		prog, err := programFor(l.Index, u.maps.Ifaces, to)
		if err != nil {
			return err
		}
		if _, err := updateLink(l, prog); err != nil {
			return fmt.Errorf("switch interface %d: %w", l.Index, err)
		}
		u.reached("link switched")
	}
	return nil
}

func (u *upgrade) close() error {
	return errors.Join(u.maps.Close(), u.old.Close(), u.new.Close())
}

// swapped tells old from new by their tags.
func swapped(old, new *relayPrograms) ([]Swap, error) {
	var swaps []Swap
	after := pinnedPrograms(new)
	for name, p := range pinnedPrograms(old) {
		was, err := (*p).Info()
		if err != nil {
			return nil, err
		}
		is, err := (*after[name]).Info()
		if err != nil {
			return nil, err
		}
		swaps = append(swaps, Swap{Program: name, Old: was.Tag, New: is.Tag})
	}
	slices.SortFunc(swaps, func(a, b Swap) int { return strings.Compare(a.Program, b.Program) })
	return swaps, nil
}

// followUpgrade takes the programs that an upgrade pinned in place of those in use.
// Calls of the old ones may be under way: they stay open.
func (p *Plane) followUpgrade() error {
	lock, err := lockPins(p.dir)
	if err != nil {
		return err
	}
	defer lock.Close()
	return p.followLocked()
}

func (p *Plane) followLocked() error {
	var pinned relayPrograms
	if err := openPrograms(p.dir, &pinned); err != nil {
		return errors.Join(err, pinned.Close())
	}
	same, err := sameProgram(pinned.Send, p.calls.Load().Send)
	if err != nil || same {
		return errors.Join(err, pinned.Close())
	}
	p.calls.Store(&pinned)
	p.watch.log.Info("media plane was upgraded")
	return nil
}

func sameProgram(a, b *ebpf.Program) (bool, error) {
	is, err := a.Info()
	if err != nil {
		return false, err
	}
	was, err := b.Info()
	if err != nil {
		return false, err
	}
	this, _ := is.ID()
	that, _ := was.ID()
	return this == that, nil
}
