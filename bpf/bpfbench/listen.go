package bpfbench

import (
	"fmt"
	"time"

	"github.com/cilium/ebpf"
)

// The program's idea of a histogram.
const (
	binWidth = 10 * time.Microsecond
	ptime    = 20 * time.Millisecond
)

func (l Listen) set(spec *ebpf.CollectionSpec) error {
	const source, destination = 34, 36 // offsets of UDP's ports
	at := uint32(destination)
	if l.BySource {
		at = source
	}
	for name, value := range map[string]uint32{
		"listen_port": at, "listen_first": uint32(l.First),
		"listen_ports": uint32(max(l.Ports, 1)), "listen_every": uint32(max(l.Every, 1)),
	} {
		if err := spec.Variables[name].Set(value); err != nil {
			return err
		}
	}
	return nil
}

// AttachListen lets an interface swallow and count what arrives, and note how
// evenly the packets of streams of 20 ms come.
func (b *Bench) AttachListen(ifindex int) error {
	return b.attach(b.objects.Listen, ifindex)
}

// Evenness is how far from 20 ms packets came after the one before.
type Evenness struct {
	Packets       uint64
	P50, P99, Max time.Duration // Max: at most 328 ms are told apart
	Missed        uint64        // packets that came a whole packet too late, or did not come
}

// Evenness tells what was heard since the last time it was asked.
func (b *Bench) Evenness() (Evenness, error) {
	m := b.objects.Unevenness
	counts := make([]uint64, m.MaxEntries())
	var e Evenness
	for bin := range counts {
		if err := m.Lookup(uint32(bin), &counts[bin]); err != nil {
			return e, fmt.Errorf("read what was heard: %w", err)
		}
		if counts[bin] == 0 {
			continue
		}
		if err := m.Put(uint32(bin), uint64(0)); err != nil {
			return e, fmt.Errorf("read what was heard: %w", err)
		}
	}
	return evennessOf(counts), nil
}

func evennessOf(counts []uint64) Evenness {
	var e Evenness
	for _, n := range counts {
		e.Packets += n
	}
	var below uint64
	for bin, n := range counts {
		if n == 0 {
			continue
		}
		width := time.Duration(bin+1) * binWidth
		if below < (e.Packets+1)/2 {
			e.P50 = width
		}
		if below < e.Packets-e.Packets/100 {
			e.P99 = width
		}
		e.Max = width
		if width > ptime {
			e.Missed += n
		}
		below += n
	}
	return e
}
