// Package line is the audio half of the speech server beside it: an RTP port
// that speaks at the pace of real time and hears, and the detection of speech in
// what it hears. Audio is 8 kHz, mono, 16 bit.
package line

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtp"

	"mcp/speech"
)

// The measures of the audio.
const (
	Rate         = 8000
	FrameMillis  = 20
	FrameSamples = Rate * FrameMillis / 1000
	Frame        = FrameMillis * time.Millisecond
)

// Port is a session's RTP port.
type Port struct {
	socket   *net.UDPConn
	peer     netip.AddrPort
	codec    speech.Codec
	hear     func(pcm []int16)
	voice    *voice
	sent     atomic.Uint64
	received atomic.Uint64
	wg       sync.WaitGroup
	close    sync.Once
}

// Open binds a free port of addr, sends to peer and calls hear, from one
// goroutine, with what comes from the peer's host.
func Open(addr netip.Addr, peer netip.AddrPort, codec speech.Codec, hear func(pcm []int16)) (*Port, error) {
	socket, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(addr, 0)))
	if err != nil {
		return nil, fmt.Errorf("open rtp port: %w", err)
	}
	p := &Port{socket: socket, peer: peer, codec: codec, hear: hear}
	p.voice = newVoice(p.send)
	p.wg.Go(p.receive)
	p.wg.Go(p.voice.run)
	return p, nil
}

// Local is the port's address.
func (p *Port) Local() netip.AddrPort {
	local := p.socket.LocalAddr().(*net.UDPAddr).AddrPort()
	return netip.AddrPortFrom(local.Addr().Unmap(), local.Port())
}

// Codec is what the port sends and expects.
func (p *Port) Codec() speech.Codec { return p.codec }

// Play begins to send pcm instead of whatever is being sent. When its last frame
// has had its time, finished is called from the port's goroutine, unless Stop or
// another Play came first. The cues, in their order, are called as they are passed.
func (p *Port) Play(pcm []int16, finished func(), cues ...Cue) {
	p.voice.play(&clip{pcm: pcm, cues: cues, finished: finished})
}

// Seek moves by so many samples in what is being sent, and tells whether that went
// back beyond its beginning: it is sent from there then.
func (p *Port) Seek(samples int) bool { return p.voice.seek(samples) }

// Stop ends what is being sent; not one more packet of it leaves.
func (p *Port) Stop() { p.voice.play(nil) }

// Pause holds what is being sent, Resume goes on with it.
func (p *Port) Pause() { p.voice.pause(true) }

// Resume is Pause's opposite.
func (p *Port) Resume() { p.voice.pause(false) }

// Packets are the numbers of packets sent and received.
func (p *Port) Packets() (sent, received uint64) { return p.sent.Load(), p.received.Load() }

// Close frees the port and waits for its goroutines.
func (p *Port) Close() {
	p.close.Do(func() {
		p.voice.stop()
		_ = p.socket.Close() // a UDP socket has nothing left to lose
	})
	p.wg.Wait()
}

func (p *Port) send(header rtp.Header, pcm []int16) {
	header.PayloadType = p.codec.PayloadType
	packet := rtp.Packet{Header: header, Payload: encode(p.codec, pcm)}
	raw, err := packet.Marshal()
	if err != nil {
		return
	}
	// What cannot be sent is lost, as anything on the way to the peer may be.
	if _, err := p.socket.WriteToUDPAddrPort(raw, p.peer); err == nil {
		p.sent.Add(1)
	}
}

func (p *Port) receive() {
	buffer := make([]byte, 2048)
	var last uint16
	var source uint32
	for {
		n, from, err := p.socket.ReadFromUDPAddrPort(buffer)
		if err != nil {
			if isClosed(err) {
				return
			}
			continue // an ICMP error of something sent before
		}
		var packet rtp.Packet
		if from.Addr().Unmap() != p.peer.Addr() || packet.Unmarshal(buffer[:n]) != nil || packet.PayloadType != p.codec.PayloadType {
			continue
		}
		first := p.received.Add(1) == 1
		// Late and repeated packets have had their turn.
		if !first && packet.SSRC == source && int16(packet.SequenceNumber-last) <= 0 {
			continue
		}
		last, source = packet.SequenceNumber, packet.SSRC
		p.hear(decode(p.codec, packet.Payload))
	}
}
