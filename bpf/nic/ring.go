package nic

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ringParameters is the kernel's struct ethtool_ringparam (linux/ethtool.h).
type ringParameters struct {
	command                           uint32
	rxMax, rxMiniMax, jumboMax, txMax uint32
	rx, rxMini, rxJumbo, tx           uint32
}

// ethtoolRequest is the kernel's struct ifreq as SIOCETHTOOL takes it.
type ethtoolRequest struct {
	name [unix.IFNAMSIZ]byte
	data unsafe.Pointer
	_    [16]byte
}

// TransmitRing is how many frames an interface's driver holds until they have left. The
// interface is one of the calling thread's network namespace. Zero: it has no ring, as
// those that are no hardware.
func TransmitRing(name string) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("open socket: %w", err)
	}
	defer unix.Close(fd)
	ring := ringParameters{command: unix.ETHTOOL_GRINGPARAM}
	request := ethtoolRequest{data: unsafe.Pointer(&ring)}
	copy(request.name[:unix.IFNAMSIZ-1], name)
	_, _, failed := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request)))
	runtime.KeepAlive(&ring)
	if errors.Is(failed, unix.EOPNOTSUPP) {
		return 0, nil
	}
	if failed != 0 {
		return 0, fmt.Errorf("read ring of %s: %w", name, failed)
	}
	return int(ring.tx), nil
}
