package planetest

import (
	"encoding/binary"
	"net"
	"syscall"
	"time"

	"mcp/control/media"
)

// marksWhatItSends has the far end look at the traffic class of what it receives.
func marksWhatItSends(b *bench) {
	_, to, speaker, listener := b.joined()
	showClass(b, listener.rtp)
	showClass(b, listener.rtcp)
	for _, dscp := range []uint8{46, 8, 0} {
		agreed := listener.agreed(otherType)
		agreed.DSCP = dscp
		b.must(to.Connect(agreed))
		speaker.say(someAudio(ticks))
		b.wantClass("relayed audio", listener.rtp, dscp)
		b.must(to.Send(media.Payload{PayloadType: otherType, Samples: ticks, Data: someAudio(ticks)}))
		b.wantClass("a prompt", listener.rtp, dscp)
		b.must(to.SendRTCP(report))
		b.wantClass("a report", listener.rtcp, dscp)
	}
}

// showClass asks a socket to tell the traffic class of what arrives.
func showClass(b *bench, conn net.PacketConn) {
	b.Helper()
	raw, err := conn.(*net.UDPConn).SyscallConn()
	b.must(err)
	level, option := syscall.IPPROTO_IPV6, syscall.IPV6_RECVTCLASS
	if addrOf(conn).Addr().Is4() {
		level, option = syscall.IPPROTO_IP, syscall.IP_RECVTOS
	}
	var refused error
	b.must(raw.Control(func(fd uintptr) { refused = syscall.SetsockoptInt(int(fd), level, option, 1) }))
	b.must(refused)
}

func (b *bench) wantClass(what string, conn net.PacketConn, dscp uint8) {
	b.Helper()
	var buf [2048]byte
	var oob [128]byte
	b.must(conn.SetReadDeadline(time.Now().Add(patience)))
	_, n, _, _, err := conn.(*net.UDPConn).ReadMsgUDP(buf[:], oob[:])
	b.must(err)
	messages, err := syscall.ParseSocketControlMessage(oob[:n])
	b.must(err)
	if len(messages) != 1 {
		b.Fatalf("%s: %d control messages", what, len(messages))
	}
	class := uint32(messages[0].Data[0])
	if len(messages[0].Data) >= 4 {
		class = binary.NativeEndian.Uint32(messages[0].Data)
	}
	if class != uint32(dscp)<<2 {
		b.Errorf("%s has traffic class %#x, want DSCP %d", what, class, dscp)
	}
}
