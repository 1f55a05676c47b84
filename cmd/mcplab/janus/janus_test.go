package janus

import (
	"errors"
	"math"
	"net"
	"net/netip"
	"testing"
	"time"

	"mcp/control/media/codec"
	"mcp/control/media/measure"
	"mcp/control/media/rtpstream"
	"mcp/control/media/tone"
)

// Of two in a room each hears the other.
func TestRoomsAreMixed(t *testing.T) {
	s, err := Start(t.Context())
	if errors.Is(err, ErrMissing) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	var conns [2]*net.UDPConn
	var to [2]netip.AddrPort
	for i := range conns {
		if conns[i], err = net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conns[i].Close() })
		if to[i], err = s.Join(t.Context(), 1, conns[i].LocalAddr().(*net.UDPAddr).AddrPort()); err != nil {
			t.Fatal(err)
		}
	}
	payload, _ := codec.PCMU.Encode(tone.PCM(8000, tone.Part{Hz: []float64{500}, Level: -10, For: 20 * time.Millisecond}))
	h := rtpstream.Header{SSRC: 1}
	var heard []int16
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(20 * time.Second); ; <-tick.C {
		for i := range conns {
			said := payload
			if i == 1 {
				said = make([]byte, 160)
				for j := range said {
					said[j] = codec.PCMU.Silence()
				}
			}
			if _, err := conns[i].WriteToUDPAddrPort(append(h.Append(nil), said...), to[i]); err != nil {
				t.Fatal(err)
			}
		}
		h.Sequence, h.Timestamp = h.Sequence+1, h.Timestamp+160
		var buf [2000]byte
		if err := conns[1].SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if n, _, err := conns[1].ReadFromUDPAddrPort(buf[:]); err == nil && n == 172 {
			pcm, _ := codec.PCMU.Decode(buf[12:n])
			heard = append(heard, pcm...)
		}
		if n := len(heard); n > 1600 && math.Abs(measure.Tone(heard[n-1600:], 8000, 500)+10) < 2 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d samples are heard", len(heard))
		}
	}
	if used, err := s.CPU(); err != nil || used < 0 {
		t.Errorf("%s, %v", used, err)
	}
}
