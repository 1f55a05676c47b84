package bpf

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/cilium/ebpf"

	"mcp/bpf/memory"
)

// slots gives legs their places in the maps. The process that holds the plane
// is the only one that opens and closes legs. A place that was left rests, so
// that what comes late for its leg finds none there, and is then the next to be taken:
// the fewer places legs have, the more of them lie in the processor's caches.
type slots struct {
	legs, addresses *ebpf.Map

	mu      sync.Mutex             // guards what follows
	ports   []memory.Value[uint32] // nil: the plane is closed
	owners  []memory.Value[relayOwner]
	free    []uint32 // a stack
	resting []uint32 // a queue
	list    relayAddressList
	entry   relayLeg // that is written at the moment
}

// rests is how many places rest, unless no others are free.
const rests = 1024

// newSlots reads which places are taken.
func newSlots(o *relayObjects) (*slots, error) {
	s := &slots{legs: o.Legs, addresses: o.Addresses}
	var err error
	if s.ports, err = memory.Map[uint32](o.Ports); err != nil {
		return s, err
	}
	if s.owners, err = memory.Map[relayOwner](o.Owners); err != nil {
		return s, err
	}
	if err := s.addresses.Lookup(uint32(0), &s.list); err != nil {
		return s, fmt.Errorf("read addresses: %w", err)
	}
	taken := make(map[uint32]bool)
	err = eachLeg(s.legs, func(slot uint32, _ *relayLeg) error {
		taken[slot] = true
		return nil
	})
	for slot := s.legs.MaxEntries() - 1; slot > uint32(relayIndexNO_SLOT); slot-- {
		if !taken[slot] {
			s.free = append(s.free, slot)
		}
	}
	return s, err
}

// open writes a leg into a free slot and makes it the one of its address and port.
func (s *slots) open(entry *relayLeg) (uint32, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	place, err := s.place(entry.Local)
	if err != nil {
		return 0, err
	}
	if !s.leadsLocked(place, uint32(relayIndexNO_SLOT)) {
		return 0, ErrPortTaken
	}
	if len(s.free) == 0 && len(s.resting) > 0 {
		s.endRestLocked()
	}
	last := len(s.free) - 1
	if last < 0 {
		return 0, ErrFull
	}
	slot := s.free[last]
	s.entry = *entry
	if err := s.legs.Update(slot, &s.entry, ebpf.UpdateLock); err != nil {
		return 0, fmt.Errorf("write leg: %w", err)
	}
	atomic.StoreUint32(&s.ports[place].At, slot)
	s.free = s.free[:last]
	return slot, nil
}

// own writes down whose the leg in a slot is. Its number comes last: who reads it has
// the rest.
func (s *slots) own(slot uint32, o *relayOwner) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owners == nil {
		return ErrClosed
	}
	entry := &s.owners[slot].At
	atomic.StoreUint64(&entry.LegId, 0)
	entry.OpenedUnixNs, entry.Call, entry.Role = o.OpenedUnixNs, o.Call, o.Role
	atomic.StoreUint64(&entry.LegId, o.LegId)
	return nil
}

// hide has nothing find the leg in a slot any more that arrives at an address and port.
func (s *slots) hide(slot uint32, local netip.AddrPort) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	place, err := s.place(endpointOf(local))
	if err == nil && s.leadsLocked(place, slot) {
		atomic.StoreUint32(&s.ports[place].At, uint32(relayIndexNO_SLOT))
	}
	return err
}

// give takes back a slot whose leg has just ended, and forgets whose that was.
func (s *slots) give(slot uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.resting = append(s.resting, slot); len(s.resting) > rests {
		s.endRestLocked()
	}
	if s.owners != nil {
		atomic.StoreUint64(&s.owners[slot].At.LegId, 0)
	}
}

// endRestLocked has the place that rests longest be taken next.
func (s *slots) endRestLocked() {
	s.free, s.resting = append(s.free, s.resting[0]), s.resting[1:]
}

// close lets go of the maps.
func (s *slots) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ports, owners := s.ports, s.owners
	s.ports, s.owners = nil, nil
	return errors.Join(memory.Unmap(ports), memory.Unmap(owners))
}

// place finds an endpoint's index in the map ports; a new address is added to
// the list.
func (s *slots) place(e relayEndpoint) (uint32, error) {
	if s.ports == nil {
		return 0, ErrClosed
	}
	port := uint32(e.Port) / 2
	for i := range s.list.Count {
		if s.list.At[i].Addr == e.Addr {
			return i*uint32(relayIndexPORTS_PER_ADDRESS) + port, nil
		}
	}
	if s.list.Count == uint32(relayIndexMAX_ADDRESSES) {
		return 0, fmt.Errorf("%w: legs are open on %d addresses already", ErrFull, s.list.Count)
	}
	next := s.list
	next.At[next.Count] = relayEndpoint{Addr: e.Addr}
	next.Count++
	if err := s.addresses.Put(uint32(0), &next); err != nil {
		return 0, fmt.Errorf("write addresses: %w", err)
	}
	s.list = next
	return (next.Count-1)*uint32(relayIndexPORTS_PER_ADDRESS) + port, nil
}

// eachLeg visits the legs in a map of legs, in the order of their slots.
func eachLeg(m *ebpf.Map, visit func(slot uint32, entry *relayLeg) error) error {
	const batch = 256
	var cursor ebpf.MapBatchCursor
	keys, entries := make([]uint32, batch), make([]relayLeg, batch)
	for {
		n, err := m.BatchLookup(&cursor, keys, entries, nil)
		if err != nil && !isEnd(err) {
			return fmt.Errorf("read legs: %w", err)
		}
		for i := range n {
			if entries[i].Id == 0 {
				continue
			}
			if err := visit(keys[i], &entries[i]); err != nil {
				return err
			}
		}
		if err != nil {
			return nil
		}
	}
}

// leads tells whether what arrives at an address and port finds a slot. It does
// not when a process died while it opened or closed the leg.
func (s *slots) leads(local netip.AddrPort, slot uint32) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	place, err := s.place(endpointOf(local))
	return err == nil && s.leadsLocked(place, slot)
}

func (s *slots) leadsLocked(place, slot uint32) bool {
	return atomic.LoadUint32(&s.ports[place].At) == slot
}
