package backlog_test

import (
	"errors"
	"net"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"mcp/control/sip/backlog"
)

// messages is a burst of a busy platform's in the time that its collector may take.
const messages = 1000

func sockets(t *testing.T) (reader, writer *net.UDPConn) {
	t.Helper()
	reader, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { reader.Close() })
	writer, err = net.DialUDP("udp", nil, reader.LocalAddr().(*net.UDPAddr))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { writer.Close() })
	return reader, writer
}

// send sends datagrams as long as an INVITE with a body. Those to the loopback are in
// the reader's buffer, or dropped, when this returns.
func send(t *testing.T, to *net.UDPConn, n int) {
	t.Helper()
	for range n {
		if _, err := to.Write(make([]byte, 900)); err != nil {
			t.Fatal(err)
		}
	}
}

func lost(t *testing.T, conn *net.UDPConn) int {
	t.Helper()
	n, err := backlog.Lost(conn)
	if err != nil {
		t.Fatal(err)
	}
	return int(n)
}

func TestABurstIsKept(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("a large buffer takes CAP_NET_ADMIN")
	}
	reader, writer := sockets(t)
	if err := backlog.Deepen(reader); err != nil {
		t.Fatal(err)
	}
	send(t, writer, messages)
	if n := lost(t, reader); n != 0 {
		t.Errorf("%d of %d messages were lost", n, messages)
	}
}

func TestWhatFindsNoRoomIsCounted(t *testing.T) {
	reader, writer := sockets(t)
	if err := reader.SetReadBuffer(64 << 10); err != nil {
		t.Fatal(err)
	}
	send(t, writer, messages)
	kept := read(t, reader)
	if n := lost(t, reader); n == 0 || n+kept != messages {
		t.Errorf("%d are told to be lost, %d were kept of %d", n, kept, messages)
	}
}

// read takes what is there.
func read(t *testing.T, conn *net.UDPConn) (n int) {
	t.Helper()
	raw, err := conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var ended error
	err = raw.Control(func(fd uintptr) {
		buf := make([]byte, 1500)
		for {
			if _, _, ended = unix.Recvfrom(int(fd), buf, unix.MSG_DONTWAIT); ended != nil {
				return
			}
			n++
		}
	})
	if err != nil || !errors.Is(ended, unix.EAGAIN) {
		t.Fatal(err, ended)
	}
	return n
}

func TestAClosedSocket(t *testing.T) {
	reader, _ := sockets(t)
	reader.Close()
	if err := backlog.Deepen(reader); !errors.Is(err, net.ErrClosed) {
		t.Errorf("deepen: %v", err)
	}
	if _, err := backlog.Lost(reader); !errors.Is(err, net.ErrClosed) {
		t.Errorf("lost: %v", err)
	}
}
