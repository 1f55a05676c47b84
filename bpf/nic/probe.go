// Package nic finds out what a network interface can do for XDP programs, and
// when interfaces come and go.
package nic

import (
	"encoding/binary"
	"fmt"
	"net"
	"time"

	"github.com/cilium/ebpf"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"mcp/bpf/testrun"
)

const (
	probeFrames  = 64
	probeTimeout = 300 * time.Millisecond
	// probeEtherType is IEEE 802's first local experimental one: no stack listens.
	probeEtherType = 0x88b5
	probeLength    = 60
)

// ProbeTransmit sends frames out of an interface the way the relay does and
// watches its counters. A driver may lose them silently: a veth does when the
// other end has neither an XDP program nor GRO. The program returns XDP_TX.
func ProbeTransmit(prog *ebpf.Program, i net.Interface) error {
	before, err := transmitted(i)
	if err != nil {
		return err
	}
	frame := probeFrame(i)
	_, _, err = testrun.Run(prog, testrun.Call{
		Data:    frame,
		Context: &testrun.Context{DataEnd: uint32(len(frame)), IngressIfindex: uint32(i.Index)},
		Repeat:  probeFrames,
		Flags:   unix.BPF_F_TEST_XDP_LIVE_FRAMES,
	})
	if err != nil {
		return fmt.Errorf("probe %s: %w", i.Name, err)
	}
	for deadline := time.Now().Add(probeTimeout); ; time.Sleep(time.Millisecond) {
		now, err := transmitted(i)
		if err != nil {
			return err
		}
		if now-before >= probeFrames {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("frames sent by XDP do not leave %s (%d of %d seen); a veth's other end needs GRO or an XDP program",
				i.Name, now-before, probeFrames)
		}
	}
}

// probeFrame is addressed to a group no bridge forwards, IEEE 802.1Q table 8-1.
func probeFrame(i net.Interface) []byte {
	frame := make([]byte, probeLength)
	copy(frame, []byte{0x01, 0x80, 0xc2, 0x00, 0x00, 0x0e})
	copy(frame[6:], i.HardwareAddr)
	binary.BigEndian.PutUint16(frame[12:], probeEtherType)
	return frame
}

func transmitted(i net.Interface) (uint64, error) {
	l, err := netlink.LinkByIndex(i.Index)
	if err != nil {
		return 0, fmt.Errorf("look at %s: %w", i.Name, err)
	}
	return l.Attrs().Statistics.TxPackets, nil
}
