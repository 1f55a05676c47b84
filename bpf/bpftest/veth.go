package bpftest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"testing"
	"unsafe"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// End is one end of a veth pair.
type End struct {
	NS    *NetNS
	Name  string   // made up if empty
	Addrs []string // "10.1.0.1/24"
	// GRO makes the end take frames that the other end sends by XDP.
	GRO bool
	// NoOffload makes the end fill in the checksums of what its stack sends.
	NoOffload bool

	Index int              // filled in
	MAC   net.HardwareAddr // filled in
}

// Connect joins two namespaces by a veth pair, up and with addresses when it
// returns. It fills in what was left empty. The pair ends with the namespaces.
func Connect(tb testing.TB, a, b *End) {
	tb.Helper()
	if err := Join(a, b); err != nil {
		tb.Fatal(err)
	}
}

// Join is Connect for programs that are not tests.
func Join(a, b *End) error {
	for _, e := range []*End{a, b} {
		if e.Name == "" {
			e.Name = fmt.Sprintf("v%x%x", os.Getpid()&0xffff, rand.Uint32())
		}
	}
	err := a.NS.Do(func() error {
		pair := &netlink.Veth{
			LinkAttrs:     netlink.LinkAttrs{Name: a.Name, NumTxQueues: 1, NumRxQueues: 1},
			PeerName:      b.Name,
			PeerNamespace: netlink.NsFd(int(b.NS.file.Fd())),
		}
		return netlink.LinkAdd(pair)
	})
	if err != nil {
		return fmt.Errorf("make veth pair %s, %s: %w", a.Name, b.Name, err)
	}
	for _, e := range []*End{a, b} {
		if err := e.NS.Do(e.setUp); err != nil {
			return fmt.Errorf("set up %s: %w", e.Name, err)
		}
	}
	return nil
}

func (e *End) setUp() error {
	l, err := netlink.LinkByName(e.Name)
	if err != nil {
		return err
	}
	e.Index, e.MAC = l.Attrs().Index, l.Attrs().HardwareAddr
	for _, text := range e.Addrs {
		addr, err := netlink.ParseAddr(text)
		if err != nil {
			return err
		}
		addr.Flags = unix.IFA_F_NODAD
		if err := netlink.AddrAdd(l, addr); err != nil {
			return fmt.Errorf("add address %s: %w", text, err)
		}
	}
	if e.NoOffload {
		if err := ethtool(e.Name, unix.ETHTOOL_STXCSUM, 0); err != nil {
			return fmt.Errorf("switch checksum offload off: %w", err)
		}
	}
	if err := netlink.LinkSetUp(l); err != nil {
		return err
	}
	if e.GRO {
		// Only on an interface that is up does it also open the other end for XDP.
		if err := ethtool(e.Name, unix.ETHTOOL_SGRO, 1); err != nil {
			return fmt.Errorf("switch GRO on: %w", err)
		}
	}
	return nil
}

// Neighbor makes another end's address known for good, as static entries are.
func (e *End) Neighbor(addr string, mac net.HardwareAddr) error {
	return e.NS.Do(func() error {
		return netlink.NeighSet(&netlink.Neigh{
			LinkIndex: e.Index, State: netlink.NUD_PERMANENT, IP: net.ParseIP(addr), HardwareAddr: mac,
		})
	})
}

func setUp(name string) error {
	l, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	return netlink.LinkSetUp(l)
}

// ethtoolRequest is the kernel's struct ifreq around a struct ethtool_value.
type ethtoolRequest struct {
	name [unix.IFNAMSIZ]byte
	data unsafe.Pointer
	_    [16]byte
}

type ethtoolValue struct{ command, data uint32 }

func ethtool(name string, command, value uint32) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	req := ethtoolRequest{data: unsafe.Pointer(&ethtoolValue{command, value})}
	copy(req.name[:unix.IFNAMSIZ-1], name)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&req)))
	if errno != 0 {
		return errno
	}
	return nil
}
