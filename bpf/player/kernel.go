package player

import (
	"errors"
	"fmt"
	"math/bits"
	"runtime"
	"sync/atomic"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"mcp/bpf"
	"mcp/bpf/ktime"
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
	spec.Maps["rings"].MaxEntries = uint32(r.prompts)
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
	o, memory := &k.objects, [6][]byte{}
	for i, m := range []*ebpf.Map{o.Prompts, o.Rings, o.Pages, o.Reports, o.Slots, o.Paces} {
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
	if err := k.send(turnOf(0, 0, 1)); err != nil {
		return fmt.Errorf("run on live frames: %w", err)
	}
	var err error
	k.home, err = settle(k.plane, k.objects.Play)
	return err
}

// sharedIn is the mapped memory of prompts, their rings, pages, reports, slots and paces.
func sharedIn(b [6][]byte) memory {
	return memory{
		prompts: valuesOf[playerPrompt](b[0]), parts: valuesOf[playerPart](b[1]), pages: b[2], reports: valuesOf[uint64](b[3]),
		slots: valuesOf[playerSlot](b[4]), pace: &valuesOf[playerPace](b[5])[0],
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

func (k *kernel) send(t turn) error { return k.runner.send(t) }

func (k *kernel) refusal(place uint32) error {
	return k.plane.Refusal(uint32(k.shared.prompts[place].Fate))
}

// burst is the least where it is not known what the interfaces hold.
func (k *kernel) burst() int {
	ring, err := k.plane.Burst()
	if err != nil {
		return leastTogether
	}
	return burst(ring)
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

// testRun is what the kernel is told of a run (bpf(2), BPF_PROG_TEST_RUN), in part.
type testRun struct {
	program        uint32
	returned       uint32
	sizeIn         uint32
	sizeOut        uint32
	dataIn         uint64
	dataOut        uint64
	repeat         uint32
	duration       uint32
	contextSizeIn  uint32
	contextSizeOut uint32
	contextIn      uint64
	contextOut     uint64
	flags          uint32
	cpu            uint32
	batch          uint32
}

// runner runs the program. It makes no garbage: nobody is to collect it while packets
// are due.
type runner struct {
	pace  *playerPace
	clock ktime.Clock
	enter systemCall
	run   testRun
	frame [1500]byte // what live frames begin as
}

func newRunner(program int, pace *playerPace, enter systemCall) *runner {
	r := &runner{pace: pace, clock: ktime.New(), enter: enter, run: testRun{program: uint32(program), flags: unix.BPF_F_TEST_XDP_LIVE_FRAMES}}
	r.run.dataIn = uint64(uintptr(unsafe.Pointer(&r.frame)))
	return r
}

// send runs the program once for each place that is left of a turn. A run may be
// interrupted, or find that another one was quicker.
func (r *runner) send(t turn) error {
	r.run.repeat = t.left()
	atomic.StoreUint64(&r.pace.NowNs, r.clock.Now())
	// The kernel writes how long the frame was, and the next time takes it for the room there is.
	r.run.sizeIn, r.run.sizeOut = r.pace.FrameLength, 0
	_, _, failed := r.enter(unix.SYS_BPF, unix.BPF_PROG_TEST_RUN, uintptr(unsafe.Pointer(&r.run)), unsafe.Sizeof(r.run), 0, 0, 0)
	runtime.KeepAlive(r)
	if failed != 0 && failed != unix.EINTR && failed != unix.EAGAIN {
		return fmt.Errorf("run on live frames: %w", failed)
	}
	return nil
}
