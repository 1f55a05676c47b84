package bpf

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/cilium/ebpf"

	"mcp/bpf/ktime"
	"mcp/bpf/pin"
)

// Status describes a pinned plane to an operator.
type Status struct {
	Dir        string
	Mode       Mode
	Reason     string
	At         time.Time // when it was read
	Interfaces []Interface
	Legs       int
	MaxLegs    int
	Programs   []Program
	Maps       []Map
	Verdicts   []Verdict
}

// Program is one that is pinned. What the kernel does not tell this process is zero.
type Program struct {
	Name       string
	Tag        string
	LoadedAt   time.Time
	Translated int // octets after the verifier
	Jited      int // octets of machine code
	Verified   int // instructions the verifier walked
}

// Map is one that is pinned.
type Map struct {
	Name       string
	Type       string
	Entries    int // in use; -1 where that is not known
	MaxEntries int
	Bytes      int // memory it takes
}

// Inspect reads the plane pinned in dir without taking hold of it.
func Inspect(dir string) (Status, error) {
	s := Status{Dir: dir, At: time.Now()}
	var objects relayObjects
	err := errors.Join(s.read(&objects), objects.Close())
	if err != nil {
		return s, fmt.Errorf("inspect media plane in %s: %w", dir, classify(err))
	}
	return s, nil
}

func (s *Status) read(o *relayObjects) error {
	layout, err := readLayout(s.Dir)
	if err == nil {
		err = layout.checkVersion()
	}
	if err != nil {
		return err
	}
	s.Mode, s.Reason = modeOf(layout.Generic == 0), goString(layout.Reason[:])
	spec, err := loadRelay()
	if err != nil {
		return err
	}
	if err := openMaps(s.Dir, spec, &o.relayMaps); err != nil {
		return err
	}
	if err := openPrograms(s.Dir, &o.relayPrograms); err != nil {
		return err
	}
	names, err := verdictNames()
	if err != nil {
		return err
	}
	if s.Verdicts, err = readVerdicts(o.Stats, names); err != nil {
		return err
	}
	if err := s.readMaps(&o.relayMaps); err != nil {
		return err
	}
	if s.Programs, err = readPrograms(&o.relayPrograms); err != nil {
		return err
	}
	s.Interfaces, err = inspectInterfaces(s.Dir, o)
	return err
}

func (s *Status) readMaps(o *relayMaps) error {
	err := eachLeg(o.Legs, func(uint32, *relayLeg) error {
		s.Legs++
		return nil
	})
	if err != nil {
		return err
	}
	s.MaxLegs = int(o.Legs.MaxEntries()) - 1
	for name, m := range pinnedMaps(o) {
		entry := Map{Name: name, Type: (*m).Type().String(), MaxEntries: int((*m).MaxEntries()), Entries: s.Legs}
		if name != "legs" {
			entry.Entries = countEntries(*m)
		}
		if info, err := (*m).Info(); err == nil {
			memory, _ := info.Memlock()
			entry.Bytes = int(memory)
		}
		s.Maps = append(s.Maps, entry)
	}
	slices.SortFunc(s.Maps, func(a, b Map) int { return cmp.Compare(a.Name, b.Name) })
	return nil
}

// countEntries walks a hash; in an array all entries are there, and a ring has none.
func countEntries(m *ebpf.Map) int {
	switch m.Type() {
	case ebpf.Hash, ebpf.DevMapHash:
	case ebpf.RingBuf:
		return -1
	default:
		return int(m.MaxEntries())
	}
	n := 0
	key, next := []byte(nil), make([]byte, m.KeySize())
	for ; n <= int(m.MaxEntries()); n++ {
		var at any
		if key != nil {
			at = key
		}
		if err := m.NextKey(at, &next); err != nil {
			break
		}
		key = slices.Clone(next)
	}
	return n
}

func readPrograms(o *relayPrograms) ([]Program, error) {
	var all []Program
	for name, p := range pinnedPrograms(o) {
		info, err := (*p).Info()
		if err != nil {
			return nil, fmt.Errorf("read program %s: %w", name, err)
		}
		entry := Program{Name: name, Tag: info.Tag}
		entry.Translated, _ = info.TranslatedSize()
		jited, _ := info.JitedSize()
		verified, _ := info.VerifiedInstructions()
		entry.Jited, entry.Verified = int(jited), int(verified)
		if since, ok := info.LoadTime(); ok {
			entry.LoadedAt = bootTime().Add(since)
		}
		all = append(all, entry)
	}
	slices.SortFunc(all, func(a, b Program) int { return cmp.Compare(a.Name, b.Name) })
	return all, nil
}

// Interfaces lists where the relay is to be attached.
func (p *Plane) Interfaces() ([]Interface, error) {
	return readInterfaces(p.objects.Ifaces)
}

// inspectInterfaces says, too, where it is attached in truth.
func inspectInterfaces(dir string, o *relayObjects) ([]Interface, error) {
	all, err := readInterfaces(o.Ifaces)
	if err != nil {
		return nil, err
	}
	links, err := pin.Links(dir)
	defer pin.CloseLinks(links)
	if err != nil {
		return nil, unusable("a link", err)
	}
	for n := range all {
		i := &all[n]
		at := slices.IndexFunc(links, func(l pin.Link) bool { return l.Index == i.Index })
		if at < 0 || links[at].Gone {
			continue
		}
		i.Attached = true
		var port uint32
		i.Sends = o.TxPorts.Lookup(uint32(i.Index), &port) == nil
		prog, err := programFor(i.Index, o.Ifaces, &o.relayPrograms)
		if err != nil {
			return nil, err
		}
		if info, err := prog.Info(); err == nil {
			id, ok := info.ID()
			i.Upgrading = ok && id != links[at].Program
		}
	}
	return all, nil
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
	slices.SortFunc(all, func(a, b Interface) int { return cmp.Compare(a.Index, b.Index) })
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
	Owner      Owner // zero if nobody owns the leg
}

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
	var all []LegInfo
	maps, err := inspectMaps(dir)
	if err == nil {
		all, err = readLegs(maps)
	}
	if err = errors.Join(err, maps.Close()); err != nil {
		return nil, fmt.Errorf("inspect legs in %s: %w", dir, classify(err))
	}
	return all, nil
}

// inspectMaps opens the pinned maps if they are laid out as this program knows
// them. The caller closes those that were opened, on an error, too.
func inspectMaps(dir string) (*relayMaps, error) {
	maps := &relayMaps{}
	layout, err := readLayout(dir)
	if err == nil {
		err = layout.checkVersion()
	}
	if err != nil {
		return maps, err
	}
	spec, err := loadRelay()
	if err != nil {
		return maps, err
	}
	return maps, openMaps(dir, spec, maps)
}

func readLegs(maps *relayMaps) (all []LegInfo, err error) {
	clock := ktime.New()
	err = eachLeg(maps.Legs, func(slot uint32, entry *relayLeg) error {
		info := legInfo(slot, entry, clock)
		info.Owner, err = readOwner(maps.Owners, slot, entry.Id)
		all = append(all, info)
		return err
	})
	return all, err
}

func legInfo(slot uint32, e *relayLeg, clock ktime.Clock) LegInfo {
	now := clock.Now()
	return LegInfo{
		ID: e.Id, Slot: slot, Local: addrPortOf(e.Local),
		Signalled: portOrNone(e.Config.PeerRtp), Far: portOrNone(e.farEnd(now)),
		AudioType: e.Config.AudioType, EventType: e.Config.EventType,
		MaySend: e.Config.MaySend != 0, MayReceive: e.Config.MayReceive != 0,
		RelayTo: e.Config.RelayToId, Copy: e.Config.CopyToUser != 0,
		Stats: statsOf(e, clock), Stream: streamInfo(&e.Egress, clock),
		Captured: now < e.TapUntilNs,
	}
}

func streamInfo(e *relayLegEgress, clock ktime.Clock) StreamInfo {
	s := StreamInfo{SSRC: e.Ssrc, Started: e.Started != 0}
	if s.Started {
		s.Sequence, s.Timestamp = e.Place.LastSeq, e.Place.LastTs
		s.At = clock.Time(e.LastNs)
		if e.SourceId != noSource {
			s.SourceID = e.SourceId
		}
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
