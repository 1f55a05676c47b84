// Package backlog has the kernel keep what comes to a UDP socket while nobody reads it,
// and tells what it could not keep.
package backlog

import (
	"fmt"
	"net"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Size is how many bytes of datagrams may wait to be read, as SO_RCVBUF counts them:
// about 3,500 SIP messages, a second's of a busy platform. What the kernel gives by
// itself is full with 90, within milliseconds without a reader, and each message lost
// keeps its caller waiting for T1.
const Size = 4 << 20

// Deepen gives a socket that Size: as much of it as net.core.rmem_max allows where the
// process lacks CAP_NET_ADMIN.
func Deepen(conn *net.UDPConn) error {
	return control(conn, func(fd uintptr) error {
		err := unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, Size)
		if err != nil {
			err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, Size)
		}
		return err
	})
}

// memory is what SO_MEMINFO tells of a socket (linux/sock_diag.h, SK_MEMINFO_…).
type memory struct {
	_    [8]uint32
	lost uint32
}

// Lost is how many datagrams the kernel has dropped since the socket was made because
// those before them were not read yet.
func Lost(conn *net.UDPConn) (uint32, error) {
	var m memory
	size := uint32(unsafe.Sizeof(m))
	err := control(conn, func(fd uintptr) error {
		_, _, failed := unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_MEMINFO,
			uintptr(unsafe.Pointer(&m)), uintptr(unsafe.Pointer(&size)), 0)
		if failed != 0 {
			return failed
		}
		return nil
	})
	return m.lost, err
}

// control does something to a socket's descriptor.
func control(conn *net.UDPConn, do func(fd uintptr) error) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return fmt.Errorf("receive buffer: %w", err)
	}
	var done error
	if err := raw.Control(func(fd uintptr) { done = do(fd) }); err != nil {
		return fmt.Errorf("receive buffer: %w", err)
	}
	if done != nil {
		return fmt.Errorf("receive buffer: %w", done)
	}
	return nil
}
