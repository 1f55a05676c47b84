package bpftest

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Wire sees the frames that arrive in a namespace as they are, before its stack.
type Wire struct {
	fd int
}

// NewWire looks at what arrives in a namespace from now on.
func NewWire(tb testing.TB, ns *NetNS) *Wire {
	tb.Helper()
	var w Wire
	err := ns.Do(func() (err error) {
		const everything = unix.ETH_P_ALL<<8 | unix.ETH_P_ALL>>8 // in network order
		w.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, everything)
		return err
	})
	if err != nil {
		tb.Fatalf("look at what arrives: %v", err)
	}
	tb.Cleanup(func() { unix.Close(w.fd) })
	return &w
}

// From waits for the next datagram from an address and takes it apart, checksums
// and all.
func (w *Wire) From(tb testing.TB, from netip.AddrPort) Datagram {
	tb.Helper()
	const patience = 20 * time.Second
	frame := make([]byte, 2048)
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		wait := unix.NsecToTimeval(int64(time.Until(deadline)) + int64(time.Millisecond))
		if err := unix.SetsockoptTimeval(w.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait); err != nil {
			tb.Fatal(err)
		}
		n, sender, err := unix.Recvfrom(w.fd, frame, 0)
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			tb.Fatal(err)
		}
		if link, ok := sender.(*unix.SockaddrLinklayer); !ok || link.Pkttype == unix.PACKET_OUTGOING {
			continue
		}
		d, err := Dissect(frame[:n])
		if d.Src != from {
			continue
		}
		if err != nil {
			tb.Fatalf("from %s arrived: %v", from, err)
		}
		return d
	}
	tb.Fatalf("nothing arrived from %s within %s", from, patience)
	return Datagram{}
}
