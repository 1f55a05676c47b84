// Package bpfbench measures the relay: it makes packets by the million in the
// kernel, counts what arrives, and has a null program to compare with.
package bpfbench

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

//go:generate go tool bpf2go -cc clang-14 -strip llvm-strip-14 -target bpfel -cflags "-O2 -g -Wall -Werror" -type stream bench bench.bpf.c

// Config says what to make.
type Config struct {
	// Frames are the streams' packets, one each: Ethernet, IPv4 without options,
	// UDP with its checksum, RTP with sequence number and timestamp zero.
	Frames [][]byte
	// NullDst and NullSrc are what the null program writes in front.
	NullDst, NullSrc net.HardwareAddr
	Listen           Listen
}

// Listen says which streams AttachListen listens to.
type Listen struct {
	BySource bool // streams differ by the port they come from, and not by the one they go to
	First    int  // such port; streams have even ones
	Ports    int  // how many streams come from one host, which its address's third octet numbers
	Every    int  // one of so many is listened to; all if zero
}

// Bench holds the programs.
type Bench struct {
	objects benchObjects
	frame   []byte
	links   []link.Link
}

type xdpContext struct {
	Data, DataEnd, DataMeta, IngressIfindex, RxQueueIndex, EgressIfindex uint32
}

// New loads the programs.
func New(c Config) (*Bench, error) {
	if len(c.Frames) == 0 {
		return nil, errors.New("load benchmark: no frames")
	}
	spec, err := loadBench()
	if err != nil {
		return nil, err
	}
	macs := append(append([]byte{}, c.NullDst...), c.NullSrc...)
	if len(macs) == 12 {
		words := [3]uint32{}
		for i := range words {
			words[i] = binary.NativeEndian.Uint32(macs[4*i:])
		}
		if err := spec.Variables["null_macs"].Set(words); err != nil {
			return nil, err
		}
	}
	if err := spec.Variables["stream_count"].Set(uint32(len(c.Frames))); err != nil {
		return nil, err
	}
	if err := c.Listen.set(spec); err != nil {
		return nil, err
	}
	b := &Bench{frame: c.Frames[0]}
	if err := spec.LoadAndAssign(&b.objects, nil); err != nil {
		return nil, fmt.Errorf("load benchmark: %w", err)
	}
	for i, f := range c.Frames {
		if err := b.SetFrame(i, f); err != nil {
			return nil, errors.Join(err, b.Close())
		}
	}
	return b, nil
}

// SetFrame replaces a stream's packet; the stream begins anew.
func (b *Bench) SetFrame(i int, frame []byte) error {
	var s benchStream
	for w := range s.Header {
		s.Header[w] = binary.NativeEndian.Uint32(frame[4*w:])
	}
	return b.objects.Streams.Put(uint32(i), &s)
}

// Settle keeps the generator in the kernel's table of XDP programs, by an interface
// that nothing arrives at: to start it is cheap then.
func (b *Bench) Settle(ifindex int) error {
	return b.attachAs(b.objects.Generate, ifindex, link.XDPGenericMode)
}

// AttachSink lets an interface swallow and count what arrives.
func (b *Bench) AttachSink(ifindex int) error {
	return b.attach(b.objects.Sink, ifindex)
}

// AttachNull lets what arrives on one interface leave by another.
func (b *Bench) AttachNull(from, to int) error {
	if err := b.objects.WayOut.Put(uint32(0), uint32(to)); err != nil {
		return fmt.Errorf("attach null program: %w", err)
	}
	return b.attach(b.objects.Null, from)
}

func (b *Bench) attach(p *ebpf.Program, ifindex int) error {
	return b.attachAs(p, ifindex, link.XDPDriverMode)
}

func (b *Bench) attachAs(p *ebpf.Program, ifindex int, mode link.XDPAttachFlags) error {
	l, err := link.AttachXDP(link.XDPOptions{Program: p, Interface: ifindex, Flags: mode})
	if err != nil {
		return fmt.Errorf("attach to interface %d: %w", ifindex, err)
	}
	b.links = append(b.links, l)
	return nil
}

// Send makes packets and sends them out of an interface of the caller's network
// namespace. It returns when they have left.
func (b *Bench) Send(ifindex, packets int) error {
	_, err := b.objects.Generate.Run(&ebpf.RunOptions{
		Data:    b.frame,
		Context: xdpContext{DataEnd: uint32(len(b.frame)), IngressIfindex: uint32(ifindex)},
		Repeat:  uint32(packets),
		Flags:   unix.BPF_F_TEST_XDP_LIVE_FRAMES,
	})
	if err != nil {
		return fmt.Errorf("generate packets: %w", err)
	}
	return nil
}

// Seen counts the frames the sink swallowed.
func (b *Bench) Seen() (uint64, error) {
	var cpus []uint64
	if err := b.objects.Seen.Lookup(uint32(0), &cpus); err != nil {
		return 0, fmt.Errorf("read sink: %w", err)
	}
	var sum uint64
	for _, n := range cpus {
		sum += n
	}
	return sum, nil
}

// TimeMaking gives the nanoseconds that it takes to make the next packet of the next
// stream, on average.
func (b *Bench) TimeMaking(repeat int) (float64, error) {
	if err := b.objects.Timed.Delete(uint32(0)); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return 0, fmt.Errorf("time generator: %w", err)
	}
	_, average, err := b.objects.Step.Benchmark(b.frame, repeat, nil)
	return float64(average.Nanoseconds()), err
}

// TimeNull gives the nanoseconds that it takes to make a packet and have the null
// program send it to an interface of the caller's network namespace.
func (b *Bench) TimeNull(to, repeat int) (float64, error) {
	if err := b.objects.WayOut.Put(uint32(0), uint32(to)); err != nil {
		return 0, fmt.Errorf("time null program: %w", err)
	}
	return b.time(b.objects.Null, repeat)
}

// TimePinned gives the nanoseconds that it takes to make a packet and give it to a
// pinned program.
func (b *Bench) TimePinned(path string, repeat int) (float64, error) {
	p, err := ebpf.LoadPinnedProgram(path, nil)
	if err != nil {
		return 0, fmt.Errorf("time program: %w", err)
	}
	ns, err := b.time(p, repeat)
	return ns, errors.Join(err, p.Close())
}

func (b *Bench) time(p *ebpf.Program, repeat int) (float64, error) {
	if err := b.objects.Timed.Put(uint32(0), p); err != nil {
		return 0, fmt.Errorf("time program: %w", err)
	}
	_, average, err := b.objects.Step.Benchmark(b.frame, repeat, nil)
	return float64(average.Nanoseconds()), err
}

// Close detaches and unloads everything.
func (b *Bench) Close() error {
	var err error
	for _, l := range b.links {
		err = errors.Join(err, l.Detach(), l.Close())
	}
	return errors.Join(err, b.objects.Close())
}
