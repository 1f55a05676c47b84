package bpf

import (
	"errors"
	"fmt"
	"slices"

	"github.com/cilium/ebpf"
)

// Status describes a pinned plane to an operator.
type Status struct {
	Dir        string
	Mode       Mode
	Reason     string
	Interfaces []Interface
	Legs       int
	MaxLegs    int
	Verdicts   []Verdict
}

// Inspect reads the plane pinned in dir without taking hold of it.
func Inspect(dir string) (_ Status, err error) {
	s := Status{Dir: dir}
	layout, err := readLayout(dir)
	if err == nil {
		err = layout.checkVersion()
	}
	if err != nil {
		return s, fmt.Errorf("inspect media plane in %s: %w", dir, classify(err))
	}
	names, err := verdictNames()
	if err != nil {
		return s, err
	}
	var objects relayObjects
	defer func() { err = errors.Join(err, objects.Close()) }()
	if err := (&pins{dir: dir}).loadObjects(&objects); err != nil {
		return s, fmt.Errorf("inspect media plane in %s: %w", dir, classify(err))
	}
	s.Mode, s.Reason = modeOf(layout.Generic == 0), goString(layout.Reason[:])
	s.MaxLegs = int(objects.Legs.MaxEntries()) - 1
	err = eachLeg(objects.Legs, func(uint32, *relayLeg) error {
		s.Legs++
		return nil
	})
	if err != nil {
		return s, err
	}
	if s.Interfaces, err = readInterfaces(objects.Ifaces); err != nil {
		return s, err
	}
	s.Verdicts, err = readVerdicts(objects.Stats, names)
	return s, err
}

// Interfaces lists where the relay is attached.
func (p *Plane) Interfaces() ([]Interface, error) {
	return readInterfaces(p.objects.Ifaces)
}

func readInterfaces(m *ebpf.Map) ([]Interface, error) {
	var all []Interface
	var index uint32
	var entry relayIface
	it := m.Iterate()
	for it.Next(&index, &entry) {
		all = append(all, Interface{
			Name:   goString(entry.Name[:]),
			Index:  int(index),
			Mode:   modeOf(entry.Native != 0),
			Reason: goString(entry.Reason[:]),
		})
	}
	slices.SortFunc(all, func(a, b Interface) int { return a.Index - b.Index })
	return all, it.Err()
}
