// Package srtptest is a far end of protected audio on a socket, for tests.
package srtptest

import (
	"net/netip"
	"sync"

	"mcp/control/media/rtpstream"
	"mcp/control/media/srtp"
)

// Socket is what a Phone speaks and listens on. A *net.UDPConn is one.
type Socket interface {
	ReadFromUDPAddrPort(b []byte) (n int, from netip.AddrPort, err error)
	WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error)
	Close() error
}

// Phone shakes hands as it is agreed with its guard, and opens what comes.
type Phone struct {
	*srtp.Guard
	Keyed <-chan error // how each handshake ended

	socket Socket
	read   sync.WaitGroup
	close  sync.Once
}

// NewPhone has a phone listen on a socket, which it closes with itself. far is where its
// handshakes go; heard is told the payload of each RTP packet whose tag is right, which is
// valid until it returns, and may be nil.
func NewPhone(socket Socket, far func() netip.AddrPort, heard func(payload []byte)) *Phone {
	keyed := make(chan error, 16)
	p := &Phone{Keyed: keyed, socket: socket}
	p.Guard = srtp.NewGuard(srtp.Wire{
		Send:  func(b []byte, to netip.AddrPort) error { _, err := socket.WriteToUDPAddrPort(b, to); return err },
		Far:   far,
		Keyed: func(_ srtp.Profile, err error) { keyed <- err },
	})
	p.read.Go(func() { p.listen(heard) })
	return p
}

func (p *Phone) listen(heard func(payload []byte)) {
	var buf [2000]byte
	for {
		n, from, err := p.socket.ReadFromUDPAddrPort(buf[:])
		if err != nil {
			return
		}
		if srtp.IsDTLS(buf[:n]) {
			p.DTLS(buf[:n], from)
		} else if heard != nil {
			p.open(buf[:n], heard)
		}
	}
}

func (p *Phone) open(packet []byte, heard func(payload []byte)) {
	if rtpstream.IsControl(packet) {
		return
	}
	if plain, err := p.In().RTP(packet); err == nil {
		heard(plain[rtpstream.HeaderLength:])
	}
}

// Close ends the phone's handshake and closes its socket. It waits for both.
func (p *Phone) Close() {
	p.close.Do(func() {
		p.Guard.Close()
		p.socket.Close()
	})
	p.read.Wait()
}
