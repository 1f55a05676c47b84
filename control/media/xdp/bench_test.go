package xdp

import (
	"encoding/binary"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"mcp/bpf/bpftest"
	"mcp/control/media"
	"mcp/control/media/codec"
)

// BenchmarkCall is what a call costs in media, without its packets: a leg is opened,
// connected, played to twice and closed.
func BenchmarkCall(b *testing.B) {
	h := newHost(b)
	n := neighbor(b, h, "10.9.1")
	engine, err := media.NewEngine(media.Config{PortMin: 20000, PortMax: 21000}, h.plane(b), slog.New(slog.DiscardHandler))
	must(b, err)
	defer engine.Close()
	agreed := media.FarEnd{
		RTP: netip.AddrPortFrom(n.Addr, 4000), Events: 101, ClockRate: 8000, Ptime: 20 * time.Millisecond, Send: true, Receive: true,
	}
	clip, err := media.NewClip(make([]int16, 80000), codec.PCMU)
	must(b, err)
	b.ReportAllocs()
	for b.Loop() {
		session := engine.NewSession("call")
		leg, err := session.OpenLeg("caller", n.Local)
		must(b, err)
		must(b, leg.Connect(agreed, codec.PCMU))
		for range 2 {
			p, err := session.Play(leg, clip)
			must(b, err)
			p.Stop()
		}
		session.Close()
	}
}

// BenchmarkKey is what a key press costs, of thirteen packets: its begin is told at
// once, its end with what comes next.
func BenchmarkKey(b *testing.B) {
	h := newHost(b)
	p := h.plane(b)
	caller := h.socket(b, 4000)
	box := inbox{rtp: make(chan []byte, 100)}
	l := open(b, p, 20000, box)
	agreed := far(4000)
	agreed.Ptime = 0 // no ceiling
	must(b, l.Connect(agreed))
	seq, ts := uint16(0), uint32(0)
	b.ReportAllocs()
	for b.Loop() {
		ts += 1600
		for i := range 13 {
			ended := byte(10)
			if i >= 10 {
				ended |= 0x80
			}
			packet := bpftest.RTP{Type: 101, Seq: seq, TS: ts, SSRC: 7, Payload: []byte{5, ended, byte(i), 160}}
			_, err := caller.WriteToUDPAddrPort(packet.Bytes(), at(20000))
			must(b, err)
			seq++
		}
		for binary.BigEndian.Uint32(wait(b, box.rtp)[4:]) != ts {
		}
	}
}
