// Package tcp connects to speech servers in such a way that one whose machine has
// vanished is found out, whether something is on its way to it or not.
package tcp

import (
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// DefaultLost is how long nothing need be heard of a machine to take it for gone.
const DefaultLost = 25 * time.Second

// Dialer makes connections that end when nothing has been heard of the far end's
// machine for so long; 0 means DefaultLost. Probes ask whether an idle one is there
// (RFC 1122 section 4.2.3.6); they stop while octets wait to be acknowledged, of
// which TCP alone would despair after a quarter of an hour (RFC 5482).
func Dialer(lost time.Duration) *net.Dialer {
	if lost <= 0 {
		lost = DefaultLost
	}
	return &net.Dialer{
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: seconds(lost * 2 / 5), Interval: seconds(lost / 5), Count: 3},
		Control: func(_, _ string, raw syscall.RawConn) error {
			return Set(raw, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(lost.Milliseconds()))
		},
	}
}

// seconds is a time as the kernel takes it: in whole seconds, one at least.
func seconds(d time.Duration) time.Duration { return max(d.Truncate(time.Second), time.Second) }

// Set sets an option of a socket.
func Set(raw syscall.RawConn, level, option, value int) error {
	var failed error
	err := raw.Control(func(fd uintptr) { failed = unix.SetsockoptInt(int(fd), level, option, value) })
	if err = errors.Join(err, failed); err != nil {
		return fmt.Errorf("set option %d of a socket: %w", option, err)
	}
	return nil
}
