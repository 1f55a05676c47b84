// Package testrun calls an XDP program by BPF_PROG_TEST_RUN. It is the system call
// and nothing else: the library's own way first loads a program to see whether the
// kernel can do this, which takes CAP_BPF, and a process that only uses pinned
// programs has no need of that.
package testrun

import (
	"errors"
	"fmt"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// Call is one or more runs over the same data.
type Call struct {
	Data    []byte // the frame
	Out     []byte // room for the frame as the program leaves it; may be Data
	Context *Context
	Repeat  uint32
	Flags   uint32
}

// Context is the kernel's struct xdp_md.
type Context struct {
	Data, DataEnd, DataMeta, IngressIfindex, RxQueueIndex, EgressIfindex uint32
}

// attributes is the part of the kernel's union bpf_attr for this command, on
// machines of 64 bits.
type attributes struct {
	program, verdict          uint32
	dataLength, outLength     uint32
	data, out                 unsafe.Pointer
	repeat, duration          uint32
	contextLength, contextOut uint32
	context, contextOutAt     unsafe.Pointer
	flags, cpu, batch         uint32
}

// Run gives what the program returned and how long the output is.
func Run(p *ebpf.Program, c Call) (verdict uint32, length int, err error) {
	a := attributes{
		program:    uint32(p.FD()),
		dataLength: uint32(len(c.Data)),
		outLength:  uint32(len(c.Out)),
		data:       unsafe.Pointer(unsafe.SliceData(c.Data)),
		out:        unsafe.Pointer(unsafe.SliceData(c.Out)),
		repeat:     c.Repeat,
		flags:      c.Flags,
	}
	if c.Context != nil {
		a.context, a.contextLength = unsafe.Pointer(c.Context), uint32(unsafe.Sizeof(*c.Context))
	}
	for {
		_, _, errno := unix.Syscall(unix.SYS_BPF, unix.BPF_PROG_TEST_RUN, uintptr(unsafe.Pointer(&a)), unsafe.Sizeof(a))
		switch {
		case errno == 0:
			return a.verdict, int(a.outLength), nil
		case !errors.Is(errno, unix.EINTR):
			return 0, 0, fmt.Errorf("run program: %w", errno)
		}
	}
}
