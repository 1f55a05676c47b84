package player

import (
	"errors"
	"fmt"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"mcp/bpf"
)

// kernel lets a program make the packets, one of each live frame it is run on.
type kernel struct {
	plane   *bpf.Plane
	objects playerObjects
	home    *resident
	list    []playerDue
	state   *playerRunState
	pages   []byte
	maps    [][]byte // that are mapped
	frame   []byte   // what live frames begin as: room for a packet
}

func newKernel(plane *bpf.Plane, pages int) (*kernel, error) {
	spec, err := loadPlayer()
	if err != nil {
		return nil, err
	}
	spec.Maps["pages"].MaxEntries = uint32(pages)
	k := &kernel{plane: plane}
	options := ebpf.CollectionOptions{MapReplacements: plane.Share(spec)}
	if err := spec.LoadAndAssign(&k.objects, &options); err != nil {
		return nil, err
	}
	k.frame = make([]byte, int(playerPageLayoutMAX_HEADERS)+maxAudio)
	if err := k.open(); err != nil {
		return nil, errors.Join(err, k.close())
	}
	return k, nil
}

// open maps the memory and sees whether the kernel has live frames: an empty list
// sends none.
func (k *kernel) open() error {
	list, err := k.mapped(k.objects.DueList)
	if err != nil {
		return err
	}
	state, err := k.mapped(k.objects.RunStates)
	if err != nil {
		return err
	}
	if k.pages, err = k.mapped(k.objects.Pages); err != nil {
		return err
	}
	k.list = unsafe.Slice((*playerDue)(unsafe.Pointer(unsafe.SliceData(list))), k.objects.DueList.MaxEntries())
	k.state = (*playerRunState)(unsafe.Pointer(unsafe.SliceData(state)))
	if err := k.run(1); err != nil {
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

func (k *kernel) memory() ([]playerDue, []byte) { return k.list, k.pages }

// send runs the program once for each packet.
func (k *kernel) send(streams []*Stream, refused func(i int, err error)) (handed int) {
	longest := uint16(0)
	for i := range streams {
		longest = max(longest, k.list[i].Length)
	}
	k.frame = k.frame[:int(playerPageLayoutMAX_HEADERS)+int(longest)]
	*k.state = playerRunState{Count: uint32(len(streams))}
	err := k.run(len(streams))
	for i := range streams {
		switch fate := k.list[i].Fate; fate {
		case playerVerdictSTAMPED:
		case playerVerdictHANDED:
			handed++
		case playerVerdictUNDECIDED:
			refused(i, errors.Join(errors.New("the program did not come to it"), err))
		default:
			refused(i, k.plane.Refusal(uint32(fate)))
		}
	}
	return handed
}

// run may be interrupted and then runs on: what comes too often finds the list
// done.
func (k *kernel) run(times int) error {
	_, err := k.objects.Play.Run(&ebpf.RunOptions{
		Data: k.frame, Repeat: uint32(times), Flags: unix.BPF_F_TEST_XDP_LIVE_FRAMES,
	})
	return err
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
