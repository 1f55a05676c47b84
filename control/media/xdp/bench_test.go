package xdp

import (
	"encoding/binary"
	"log/slog"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"mcp/bpf/bpftest"
	"mcp/control/media"
	"mcp/control/media/codec"
)

// BenchmarkCall is what a call costs in media, without its packets: a leg is opened,
// connected, played to twice and closed.
func BenchmarkCall(b *testing.B) {
	c := newCalls(b)
	b.ReportAllocs()
	for b.Loop() {
		session, leg := c.begin(b)
		for range 2 {
			p, err := session.Play(leg, c.clip)
			must(b, err)
			p.Stop()
		}
		session.Close()
	}
}

// BenchmarkCallUp is what a call that hears a clip keeps in the heap.
func BenchmarkCallUp(b *testing.B) {
	c := newCalls(b)
	sessions := make([]*media.Session, 0, 400)
	for b.Loop() {
		before := heap()
		for range cap(sessions) {
			session, leg := c.begin(b)
			_, err := session.Play(leg, c.clip)
			must(b, err)
			sessions = append(sessions, session)
		}
		b.ReportMetric(float64(heap()-before)/float64(len(sessions)), "live-B/call")
		for _, session := range sessions {
			session.Close()
		}
		sessions = sessions[:0]
	}
}

// heap is how much of it is in use.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// calls are those of one engine with the same far end.
type calls struct {
	engine *media.Engine
	local  netip.Addr
	agreed media.FarEnd
	clip   *media.Clip
}

func newCalls(b *testing.B) *calls {
	h := newHost(b)
	n := neighbor(b, h, "10.9.1")
	engine, err := media.NewEngine(media.Config{PortMin: 20000, PortMax: 21000}, h.plane(b), slog.New(slog.DiscardHandler))
	must(b, err)
	b.Cleanup(func() { must(b, engine.Close()) })
	clip, err := media.NewClip(make([]int16, 80000), codec.PCMU)
	must(b, err)
	return &calls{engine: engine, local: n.Local, clip: clip, agreed: media.FarEnd{
		RTP: netip.AddrPortFrom(n.Addr, 4000), Events: 101, ClockRate: 8000, Ptime: 20 * time.Millisecond, Send: true, Receive: true,
	}}
}

// begin opens and connects a call's leg.
func (c *calls) begin(b *testing.B) (*media.Session, *media.Leg) {
	session := c.engine.NewSession("call")
	leg, err := session.OpenLeg("caller", c.local)
	must(b, err)
	must(b, leg.HearKeys(true))
	must(b, leg.Connect(c.agreed, codec.PCMU))
	return session, leg
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
