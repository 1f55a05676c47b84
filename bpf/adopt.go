package bpf

import (
	"fmt"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/cilium/ebpf"
	"github.com/prometheus/client_golang/prometheus"
)

// Owner says whose a leg is. It is kept beside the leg, so that the next process
// knows when this one dies.
type Owner struct {
	Call   string // at most 63 octets
	Role   string // at most 15 octets
	Opened time.Time
}

// Orphan is a leg that a process that died left open. It goes on relaying.
type Orphan struct {
	Owner  // zero if nobody owned the leg
	ID     uint64
	Local  netip.AddrPort
	SSRC   uint32 // of the stream that leaves
	Config LegConfig
	Stats  LegStats

	slot    uint32
	relayTo uint64
}

// Adoption is what became of orphans.
type Adoption struct {
	Legs    []Adopted
	Removed []Orphan
}

// Adopted is a leg that goes on.
type Adopted struct {
	*Leg
	From Orphan
}

// orphanCounts counts since the plane was opened.
type orphanCounts struct {
	adopted, removed atomic.Uint64
}

func (c *orphanCounts) collect(ch chan<- prometheus.Metric) {
	orphans := prometheus.NewDesc("mcp_plane_orphans_total", "Legs that an earlier process left open, by what became of them.", []string{"fate"}, nil)
	ch <- prometheus.MustNewConstMetric(orphans, prometheus.CounterValue, float64(c.adopted.Load()), "adopted")
	ch <- prometheus.MustNewConstMetric(orphans, prometheus.CounterValue, float64(c.removed.Load()), "removed")
}

// Own writes down whose the leg is, in place of what was written before.
func (l *Leg) Own(o Owner) error {
	entry := relayOwner{LegId: l.id}
	if !o.Opened.IsZero() {
		entry.OpenedUnixNs = uint64(o.Opened.UnixNano())
	}
	setString(entry.Call[:], o.Call)
	setString(entry.Role[:], o.Role)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.final != nil {
		return ErrClosed
	}
	return l.plane.slots.own(l.slot, &entry)
}

// Orphans lists the legs that no Leg of this process stands for.
func (p *Plane) Orphans() ([]Orphan, error) {
	var orphans []Orphan
	err := eachLeg(p.objects.Legs, func(slot uint32, entry *relayLeg) error {
		if p.leg(entry.Id) != nil {
			return nil
		}
		owner, err := readOwner(p.objects.Owners, slot, entry.Id)
		orphans = append(orphans, Orphan{
			Owner: owner, ID: entry.Id, Local: addrPortOf(entry.Local), SSRC: entry.Egress.Ssrc,
			Config: legConfigOf(&entry.Config), Stats: statsOf(entry, p.clock),
			slot: slot, relayTo: entry.Config.RelayToId,
		})
		return err
	})
	return orphans, err
}

// readOwner is the zero Owner for a leg whose process died before it wrote one. What
// an earlier leg left in the slot says nothing of this one.
func readOwner(owners *ebpf.Map, slot uint32, id uint64) (Owner, error) {
	var entry relayOwner
	if err := owners.Lookup(slot, &entry); err != nil {
		return Owner{}, fmt.Errorf("read owner of leg: %w", err)
	}
	if entry.LegId != id {
		return Owner{}, nil
	}
	o := Owner{Call: goString(entry.Call[:]), Role: goString(entry.Role[:])}
	if entry.OpenedUnixNs != 0 {
		o.Opened = time.Unix(0, int64(entry.OpenedUnixNs))
	}
	return o, nil
}

// Adopt asks for each orphan whether its owner goes on with it. If so, it is a Leg
// again: nothing of it changes in the kernel, so that its streams, its counters and
// what it relays go on. All other orphans are removed.
func (p *Plane) Adopt(claim func(Orphan) bool) (Adoption, error) {
	var a Adoption
	orphans, err := p.Orphans()
	if err != nil {
		return a, fmt.Errorf("adopt legs: %w", err)
	}
	for _, o := range orphans {
		if p.slots.leads(o.Local, o.slot) && claim(o) {
			a.Legs = append(a.Legs, Adopted{Leg: p.takeIn(o), From: o})
			continue
		}
		if _, err := p.end(o.slot, o.ID, o.Local); err != nil {
			return a, fmt.Errorf("remove leg %s: %w", o.Local, err)
		}
		p.counts.removed.Add(1)
		a.Removed = append(a.Removed, o)
	}
	for _, l := range a.Legs {
		l.restoreRoute(l.From.relayTo)
	}
	return a, nil
}

func (p *Plane) takeIn(o Orphan) *Leg {
	l := &Leg{plane: p, local: o.Local, slot: o.slot, id: o.ID, config: o.Config}
	p.mu.Lock()
	p.legs[l.id] = l
	p.mu.Unlock()
	p.noteCopying(false, o.Config.Copy)
	p.counts.adopted.Add(1)
	return l
}

// restoreRoute finds the leg that another relays to. One that was not adopted is
// gone, and the programs drop what is sent to it until the leg is configured anew.
func (l *Leg) restoreRoute(to uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.config.RelayTo = l.plane.leg(to)
}

// Config is what the leg does at present.
func (l *Leg) Config() LegConfig {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.config
}

// legConfigOf is the reverse of configOf, but for the leg that is relayed to.
func legConfigOf(k *relayLegConfig) LegConfig {
	c := LegConfig{
		Far: FarEnd{
			RTP: farAddr(k.PeerRtp), RTCP: farAddr(k.PeerRtcp),
			Latch: time.Duration(k.LatchMs) * time.Millisecond,
			DSCP:  k.TrafficClass >> 2,
		},
		Copy:      k.CopyToUser != 0,
		ClockRate: k.ClockRate, FrameTicks: k.FrameTicks,
		AudioType: k.AudioType, EventType: k.EventType, NoiseType: k.NoiseType,
		MaySend: k.MaySend != 0, MayReceive: k.MayReceive != 0,
	}
	if k.LatchFrom.Addr != (relayEndpoint{}).Addr {
		c.Far.LatchFrom = netip.AddrFrom16(k.LatchFrom.Addr).Unmap()
	}
	if k.PacketGapNs != 0 {
		c.Far.MaxRate = int(uint32(time.Second) / k.PacketGapNs)
	}
	return c
}

// farAddr is invalid when the far end is not known.
func farAddr(e relayEndpoint) netip.AddrPort {
	if e.Port == 0 {
		return netip.AddrPort{}
	}
	return addrPortOf(e)
}
