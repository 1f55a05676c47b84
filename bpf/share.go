package bpf

import (
	"fmt"
	"runtime"

	"github.com/cilium/ebpf"

	"mcp/bpf/nic"
	"mcp/bpf/rawip"
)

// Share lets programs that are built on this package's headers work on this
// plane's maps: it fits the specification to the maps and returns them as
// replacements for its own. The plane keeps them.
func (p *Plane) Share(spec *ebpf.CollectionSpec) map[string]*ebpf.Map {
	maps := pinnedMaps(&p.objects.relayMaps)
	shared := make(map[string]*ebpf.Map)
	for name, m := range maps {
		if want := spec.Maps[name]; want != nil {
			want.MaxEntries = (*m).MaxEntries()
			shared[name] = *m
		}
	}
	return shared
}

// MaxLegs is how many legs there can be.
func (p *Plane) MaxLegs() int { return int(p.objects.Legs.MaxEntries()) - 1 }

// Slot is the leg's place in the map of legs, which it has until it is closed.
func (l *Leg) Slot() uint32 { return l.slot }

// Refusal words a verdict on a packet that did not leave.
func (p *Plane) Refusal(verdict uint32) *DropError {
	return &DropError{Reason: p.verdictName(relayVerdict(verdict))}
}

// Enter moves the calling thread into the plane's network namespace. The thread
// must be locked to its goroutine, and end with it.
func (p *Plane) Enter() error {
	here, err := nic.NetNSInode()
	if err != nil || here == p.layout.Netns {
		return err
	}
	if err := p.raw.Enter(); err != nil {
		return fmt.Errorf("enter the media plane's network namespace: %w", err)
	}
	return nil
}

// Burst is how many frames may leave at once: as many as the shortest ring of the
// interfaces' drivers holds. Zero: none of them has a ring.
func (p *Plane) Burst() (frames int, err error) {
	interfaces, err := p.Interfaces()
	if err != nil {
		return 0, err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		if err = p.Enter(); err == nil {
			frames, err = shortestRing(interfaces)
		}
	}()
	<-done
	return frames, err
}

func shortestRing(interfaces []Interface) (shortest int, err error) {
	for _, i := range interfaces {
		ring, err := nic.TransmitRing(i.Name)
		if err != nil {
			return 0, err
		}
		if ring > 0 && (shortest == 0 || ring < shortest) {
			shortest = ring
		}
	}
	return shortest, nil
}

// Batch sends packets of many legs with few system calls. It is for one
// goroutine.
type Batch struct {
	plane   *Plane
	packets *rawip.Batch
	buffers [rawip.BatchSize][]byte // that packets are stamped in
}

// NewBatch makes an empty batch.
func (p *Plane) NewBatch() *Batch { return &Batch{plane: p, packets: p.raw.NewBatch()} }

// Add makes a packet the next of a leg's stream, to leave with Flush. A full batch
// must be flushed first. A DropError tells that the leg may not send at present.
func (b *Batch) Add(l *Leg, p Packet) error {
	header := p.header()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.final != nil {
		return ErrClosed
	}
	buf := &b.buffers[b.packets.Len()]
	packet, err := b.plane.stamp(buf, l, p.Ticks, header[:], p.Data)
	if err != nil {
		return err
	}
	return b.packets.Add(packet)
}

// Full tells that the batch must be flushed.
func (b *Batch) Full() bool { return b.packets.Len() == rawip.BatchSize }

// Flush sends what was added. It tells which packets the network refused,
// counted from the first one added.
func (b *Batch) Flush(refused func(i int, err error)) {
	b.packets.Flush(func(i int, err error) {
		b.plane.noteSend(err)
		refused(i, err)
	})
}
