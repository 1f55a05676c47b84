package player

import (
	"errors"
	"fmt"
	"math/bits"
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
	shared  memory
	runner  *runner
	maps    [][]byte // that are mapped
}

func newKernel(plane *bpf.Plane, r room) (*kernel, error) {
	spec, err := loadPlayer()
	if err != nil {
		return nil, err
	}
	reports := uint32(1) << bits.Len32(uint32(r.prompts-1))
	spec.Maps["pages"].MaxEntries = uint32(r.pages)
	spec.Maps["prompts"].MaxEntries = uint32(r.prompts)
	spec.Maps["reports"].MaxEntries = reports
	if err := spec.Variables["report_mask"].Set(reports - 1); err != nil {
		return nil, err
	}
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
	var memory [5][]byte
	for i, m := range []*ebpf.Map{k.objects.Prompts, k.objects.Pages, k.objects.Reports, k.objects.Slots, k.objects.Paces} {
		b, err := mapped(m.FD(), int(m.MaxEntries())*int(m.ValueSize()))
		if err != nil {
			return fmt.Errorf("map %s: %w", m, err)
		}
		k.maps = append(k.maps, b)
		memory[i] = b
	}
	k.shared = sharedIn(memory)
	k.shared.pace.FrameLength = usualFrame
	k.runner = newRunner(k.objects.Play.FD(), k.shared.pace, unix.Syscall6)
	if err := k.send(0, 1); err != nil {
		return fmt.Errorf("run on live frames: %w", err)
	}
	var err error
	k.home, err = settle(k.plane, k.objects.Play)
	return err
}

// sharedIn is the mapped memory of prompts, pages, reports, slots and paces.
func sharedIn(b [5][]byte) memory {
	return memory{
		prompts: valuesOf[playerPrompt](b[0]), pages: b[1], reports: valuesOf[uint64](b[2]),
		slots: valuesOf[playerSlot](b[3]), pace: &valuesOf[playerPace](b[4])[0],
	}
}

func mapped(fd, size int) ([]byte, error) {
	return unix.Mmap(fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
}

// valuesOf is a mapped map's memory as its values.
func valuesOf[T any](b []byte) []T {
	var one T
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/int(unsafe.Sizeof(one)))
}

func (k *kernel) memory() memory { return k.shared }

func (k *kernel) send(slot, end uint32) error { return k.runner.send(slot, end) }

func (k *kernel) refusal(place uint32) error {
	return k.plane.Refusal(uint32(k.shared.prompts[place].Fate))
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
