package selftest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"mcp/control/media/codec"
	"mcp/control/media/detect"
	"mcp/control/media/dtmf"
	"mcp/control/media/rtpstream"
	"mcp/control/sdp"
)

// span is that of a packet.
const span = 20 * time.Millisecond

// line is the caller's end of the audio: it sends a packet every 20 ms, as a
// telephone does, and listens for keys in what it hears. close waits for its two
// goroutines.
type line struct {
	conn   *net.UDPConn
	codec  codec.Codec
	events uint8
	remote netip.AddrPort

	heard   chan byte // keys, in the order of hearing
	packets atomic.Int64
	presses chan byte
	quit    chan struct{}
	tasks   sync.WaitGroup
}

// openLine takes a port above another, or any where there is none.
func openLine(local netip.Addr, above uint16) (*line, error) {
	const attempts = 100
	var conn *net.UDPConn
	for n := range attempts {
		port := uint16(0)
		if room := math.MaxUint16 - int(above); room > attempts && n+1 < attempts {
			port = above + 1 + uint16(rand.IntN(room))
		}
		var err error
		if conn, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(local, port))); err == nil {
			break
		} else if n+1 == attempts {
			return nil, err
		}
	}
	return &line{conn: conn, heard: make(chan byte, 16), presses: make(chan byte, 1), quit: make(chan struct{})}, nil
}

func (l *line) local() netip.AddrPort { return l.conn.LocalAddr().(*net.UDPAddr).AddrPort() }

func (l *line) close() {
	close(l.quit)
	_ = l.conn.Close() // it ends the listening; nothing was promised to anybody
	l.tasks.Wait()
}

// start speaks and listens as was agreed.
func (l *line) start(agreed sdp.Negotiated) error {
	if !agreed.Remote.IsValid() || agreed.Events == sdp.NoEvents {
		return errors.New("the answer has no address of audio, or no telephone-event")
	}
	l.codec = codec.Codec{Name: agreed.Codec.Name, PayloadType: agreed.Codec.PayloadType, ClockRate: agreed.Codec.ClockRate, Format: agreed.Codec.Format}
	l.events, l.remote = uint8(agreed.Events), agreed.Remote
	decoder, err := codec.NewDecoder(l.codec)
	if err != nil {
		return err
	}
	silence, err := l.codec.Encode(make([]int16, int(span.Milliseconds())*l.codec.SampleRate()/1000))
	if err != nil {
		return err
	}
	l.tasks.Go(func() { l.listen(decoder) })
	l.tasks.Go(func() { l.speak(silence) })
	return nil
}

// listen looks for keys in the audio that comes. It ends when the socket is closed.
func (l *line) listen(decoder codec.Decoder) {
	keys, every := detect.NewKeys(), l.codec.SampleRate()/codec.Narrowband
	var buf [1500]byte
	var pcm, narrow []int16
	var found []byte
	for {
		n, _, err := l.conn.ReadFromUDPAddrPort(buf[:])
		if err != nil {
			return
		}
		h, ok := rtpstream.Parse(buf[:n])
		if !ok || h.Type != l.codec.PayloadType {
			continue
		}
		l.packets.Add(1)
		if pcm, err = decoder.Decode(pcm[:0], buf[rtpstream.HeaderLength:n]); err != nil {
			continue
		}
		narrow = narrow[:0]
		for i := 0; i < len(pcm); i += every { // the tones of keys are far below what this folds
			narrow = append(narrow, pcm[i])
		}
		found = keys.Append(found[:0], narrow)
		for _, key := range found {
			select {
			case l.heard <- key:
			default: // a page that plays so much is wrong anyway
			}
		}
	}
}

// speak sends silence, and the keys that are pressed.
func (l *line) speak(silence []byte) {
	h := rtpstream.Header{SSRC: rand.Uint32(), Type: l.codec.PayloadType}
	h.Stamp = rtpstream.Stamp{Sequence: uint16(rand.Uint32()), Timestamp: rand.Uint32(), Marker: true}
	tick := time.NewTicker(span)
	defer tick.Stop()
	ticks := uint32(int64(span) * int64(l.codec.ClockRate) / int64(time.Second))
	for {
		l.send(h, silence)
		h.Sequence, h.Timestamp, h.Marker = h.Sequence+1, h.Timestamp+ticks, false
		select {
		case key := <-l.presses:
			h = l.hold(h, key, tick.C)
		case <-tick.C:
		case <-l.quit:
			return
		}
	}
}

// hold presses a key, and returns the header of what follows.
func (l *line) hold(h rtpstream.Header, key byte, tick <-chan time.Time) rtpstream.Header {
	sequence, err := dtmf.NewSequence(string(key), span, l.codec.ClockRate)
	if err != nil {
		return h
	}
	begun := h.Timestamp
	for n := range sequence.Frames() {
		if p, sounds := sequence.Packet(n); sounds {
			event := h
			event.Type, event.Marker, event.Timestamp = l.events, p.First, begun
			l.send(event, p.Data)
			h.Sequence++
		}
		h.Timestamp = begun + uint32(n+1)*uint32(int64(span)*int64(l.codec.ClockRate)/int64(time.Second))
		select {
		case <-tick:
		case <-l.quit:
			return h
		}
	}
	return h
}

// send sends a packet; one that cannot be sent is lost, as any other on its way.
func (l *line) send(h rtpstream.Header, payload []byte) {
	_, _ = l.conn.WriteToUDPAddrPort(append(h.Append(nil), payload...), l.remote)
}

func (l *line) press(key byte) { l.presses <- key }

// await waits until a key is heard; another one than that is an error.
func (l *line) await(ctx context.Context, key byte) error {
	select {
	case heard := <-l.heard:
		if heard != key {
			return fmt.Errorf("heard the tones of %c instead of %c", heard, key)
		}
		return nil
	case <-ctx.Done():
		if n := l.packets.Load(); n > 0 {
			return fmt.Errorf("the tones of %c are not in the %d packets of audio that came to %s", key, n, l.local())
		}
		return fmt.Errorf("no audio came to %s", l.local())
	}
}
