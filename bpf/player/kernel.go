package player

import (
	"errors"
	"fmt"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"mcp/bpf"
)

// usualFrame is the length of 20 ms of G.711 over IPv4, which the first frames begin with.
const usualFrame = 14 + 20 + 8 + 12 + 160

// kernel lets a program make the packets, one of each live frame it is run on.
type kernel struct {
	plane   *bpf.Plane
	objects playerObjects
	home    *resident
	prompts []playerPrompt
	run     *playerRun
	pages   []byte
	maps    [][]byte   // that are mapped
	frame   [1500]byte // what live frames begin as
}

func newKernel(plane *bpf.Plane, r room) (*kernel, error) {
	spec, err := loadPlayer()
	if err != nil {
		return nil, err
	}
	spec.Maps["pages"].MaxEntries = uint32(r.pages)
	spec.Maps["prompts"].MaxEntries = uint32(r.prompts)
	k := &kernel{plane: plane}
	options := ebpf.CollectionOptions{MapReplacements: plane.Share(spec)}
	if err := spec.LoadAndAssign(&k.objects, &options); err != nil {
		return nil, err
	}
	if err := k.open(); err != nil {
		return nil, errors.Join(err, k.close())
	}
	return k, nil
}

// open maps the memory and sees whether the kernel has live frames: with nobody to
// say anything it sends none.
func (k *kernel) open() error {
	prompts, err := k.mapped(k.objects.Prompts)
	if err != nil {
		return err
	}
	run, err := k.mapped(k.objects.Runs)
	if err != nil {
		return err
	}
	if k.pages, err = k.mapped(k.objects.Pages); err != nil {
		return err
	}
	k.prompts = unsafe.Slice((*playerPrompt)(unsafe.Pointer(unsafe.SliceData(prompts))), k.objects.Prompts.MaxEntries())
	k.run = (*playerRun)(unsafe.Pointer(unsafe.SliceData(run)))
	k.run.FrameLength = usualFrame
	if err := k.play(1); err != nil {
		return fmt.Errorf("run on live frames: %w", err)
	}
	k.home, err = settle(k.plane, k.objects.Play)
	return err
}

func (k *kernel) mapped(m *ebpf.Map) ([]byte, error) {
	size := int(m.MaxEntries()) * int(m.ValueSize())
	b, err := unix.Mmap(m.FD(), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map %s: %w", m, err)
	}
	k.maps = append(k.maps, b)
	return b, nil
}

func (k *kernel) memory() ([]playerPrompt, []byte) { return k.prompts, k.pages }

// send runs the program once for each stream.
func (k *kernel) send(d *desk, rows []uint32, streams int, look func(place uint32, err error)) sent {
	r := k.run
	copy(r.Rows[:], rows)
	r.Count, r.Next, r.Said, r.Handed, r.Reported = uint32(streams), 0, 0, 0, 0
	err := k.play(streams)
	for _, place := range r.Reports[:r.Reported] {
		if p := &d.prompts[place]; p.Refused != 0 {
			look(place, k.plane.Refusal(uint32(p.Fate)))
		} else {
			look(place, nil)
		}
	}
	for i := int(r.Next); i < streams; i++ {
		place := placeIn(rows, i)
		if p := &d.prompts[place]; p.Left > 0 {
			p.pass(false)
			look(place, errors.Join(errors.New("the program did not come to it"), err))
		}
	}
	return sent{int(r.Said), int(r.Handed)}
}

// play may be interrupted and then runs on: what comes too often finds nothing to say.
func (k *kernel) play(times int) error {
	k.run.NowNs = monotonic()
	_, err := k.objects.Play.Run(&ebpf.RunOptions{
		Data: k.frame[:k.run.FrameLength], Repeat: uint32(times), Flags: unix.BPF_F_TEST_XDP_LIVE_FRAMES,
	})
	return err
}

// monotonic is the clock that programs read.
func monotonic() uint64 {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) != nil {
		return 0 // it cannot fail: the clock is there
	}
	return uint64(ts.Nano())
}

func (k *kernel) close() error {
	var err error
	if k.home != nil {
		err = k.home.close()
	}
	for _, b := range k.maps {
		err = errors.Join(err, unix.Munmap(b))
	}
	return errors.Join(err, k.objects.Close())
}
