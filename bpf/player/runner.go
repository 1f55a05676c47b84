package player

import (
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

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
	enter systemCall
	run   testRun
	frame [1500]byte // what live frames begin as
}

func newRunner(program int, pace *playerPace, enter systemCall) *runner {
	r := &runner{pace: pace, enter: enter, run: testRun{program: uint32(program), flags: unix.BPF_F_TEST_XDP_LIVE_FRAMES}}
	r.run.dataIn = uint64(uintptr(unsafe.Pointer(&r.frame)))
	return r
}

// send runs the program once for each place of a slot. A run may be interrupted and
// then runs on: what comes too often finds nothing to say.
func (r *runner) send(slot, end uint32) error {
	r.pace.Slot, r.pace.Next = slot, 0
	for {
		r.pace.NowNs = monotonic()
		r.run.sizeIn, r.run.repeat = r.pace.FrameLength, end
		_, _, failed := r.enter(unix.SYS_BPF, unix.BPF_PROG_TEST_RUN, uintptr(unsafe.Pointer(&r.run)), unsafe.Sizeof(r.run), 0, 0, 0)
		runtime.KeepAlive(r)
		switch failed {
		case 0:
			return nil
		case unix.EINTR, unix.EAGAIN:
		default:
			return fmt.Errorf("run on live frames: %w", failed)
		}
	}
}
