package bpf

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

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

// LegInfo describes a leg to an operator.
type LegInfo struct {
	ID         uint64
	Slot       uint32
	Local      netip.AddrPort
	Signalled  netip.AddrPort // of the far end; invalid: the leg is muted
	Far        netip.AddrPort // where RTP goes: as signalled, or as learned; invalid: not known
	AudioType  uint8
	EventType  uint8 // NoType: none
	MaySend    bool
	MayReceive bool
	RelayTo    uint64 // the leg that sends its audio on; 0: none
	Copy       bool   // its audio goes to userspace
	Stats      LegStats
	Stream     StreamInfo
	Captured   bool
	Owner      LegOwner
}

// LegOwner says whose a leg is; both are empty where nobody said.
type LegOwner struct{ Call, Role string }

// Latching tells that the leg may learn its far end, and has not yet.
func (i LegInfo) Latching() bool { return i.Signalled.IsValid() && !i.Far.IsValid() }

// StreamInfo describes the stream that a leg sends.
type StreamInfo struct {
	Started   bool
	SSRC      uint32
	Sequence  uint16 // of the latest packet
	Timestamp uint32
	At        time.Time // when it left
	SourceID  uint64    // the leg it was relayed from; 0: this machine made it
}

// InspectLegs reads the legs of the plane pinned in dir without taking hold of
// it, in the order of their slots.
func InspectLegs(dir string) ([]LegInfo, error) {
	all, err := inspectLegs(dir)
	if err != nil {
		return nil, fmt.Errorf("inspect legs in %s: %w", dir, classify(err))
	}
	return all, nil
}

func inspectLegs(dir string) ([]LegInfo, error) {
	layout, err := readLayout(dir)
	if err == nil {
		err = layout.checkVersion()
	}
	if err != nil {
		return nil, err
	}
	legs, err := ebpf.LoadPinnedMap(pinPath(dir, "legs"), &ebpf.LoadPinOptions{ReadOnly: true})
	if err != nil {
		return nil, missing("legs", err)
	}
	defer legs.Close()
	var all []LegInfo
	now := monotonic()
	err = eachLeg(legs, func(slot uint32, entry *relayLeg) error {
		all = append(all, legInfo(slot, entry, now))
		return nil
	})
	return all, err
}

func legInfo(slot uint32, e *relayLeg, now uint64) LegInfo {
	return LegInfo{
		ID: e.Id, Slot: slot, Local: addrPortOf(e.Local),
		Signalled: portOrNone(e.Config.PeerRtp), Far: portOrNone(e.farEnd(now)),
		AudioType: e.Config.AudioType, EventType: e.Config.EventType,
		MaySend: e.Config.MaySend != 0, MayReceive: e.Config.MayReceive != 0,
		RelayTo: e.Config.RelayToId, Copy: e.Config.CopyToUser != 0,
		Stats: statsOf(e), Stream: streamInfo(&e.Egress),
		Captured: now < e.TapUntilNs,
	}
}

func streamInfo(e *relayLegEgress) StreamInfo {
	s := StreamInfo{SSRC: e.Ssrc, Started: e.Started != 0}
	if s.Started {
		s.Sequence, s.Timestamp = e.Place.LastSeq, e.Place.LastTs
		s.At, s.SourceID = wallTime(e.LastNs), e.SourceId
	}
	return s
}

// farEnd is where RTP goes. Whoever stays unheard until the window closes is where
// signalling said.
func (e *relayLeg) farEnd(now uint64) relayEndpoint {
	if e.Gate.FarRtp.Port == 0 && now >= e.Gate.WindowUntilNs {
		return e.Config.PeerRtp
	}
	return e.Gate.FarRtp
}

func portOrNone(e relayEndpoint) netip.AddrPort {
	if e.Port == 0 {
		return netip.AddrPort{}
	}
	return addrPortOf(e)
}
