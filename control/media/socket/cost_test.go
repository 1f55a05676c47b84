package socket

import (
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"
	"time"

	"mcp/control/media"
	"mcp/control/media/rtpstream"
)

// pair is two legs, the first relayed to the second, whose far end takes no heed.
func pair(t testing.TB) (from, to *leg, far netip.AddrPort) {
	t.Helper()
	p := New("test", slog.New(slog.DiscardHandler))
	sink, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sink.Close(); p.Close() })
	far = sink.LocalAddr().(*net.UDPAddr).AddrPort()
	var legs [2]media.PlaneLeg
	for i := range legs {
		legs[i] = open(t, p)
		agreed := media.FarEnd{RTP: far, Events: -1, ClockRate: 8000, Ptime: 20 * time.Millisecond, Send: true, Receive: true}
		if err := legs[i].Connect(agreed); err != nil {
			t.Fatal(err)
		}
	}
	if err := legs[0].Route(media.Route{To: legs[1]}); err != nil {
		t.Fatal(err)
	}
	return legs[0].(*leg), legs[1].(*leg), far
}

// open opens a leg on some port that nobody has.
func open(t testing.TB, p *Plane) media.PlaneLeg {
	t.Helper()
	for {
		local := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(20000+2*rand.IntN(5000)))
		l, err := p.Open(media.LegConfig{Local: local})
		if errors.Is(err, media.ErrPortTaken) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
}

func TestPacketsDoNotAllocate(t *testing.T) {
	from, to, far := pair(t)
	h := rtpstream.Header{SSRC: 1}
	packet := append(h.Append(nil), make([]byte, 160)...)
	payload := media.Payload{Samples: 160, Data: packet[rtpstream.HeaderLength:]}
	now := time.Now()
	for what, f := range map[string]func(){
		"relay": func() {
			h.Sequence++
			h.Put(packet)
			now = now.Add(20 * time.Millisecond)
			from.media(packet, far, now)
		},
		"send": func() {
			if err := to.Send(payload); err != nil {
				t.Error(err)
			}
		},
		"refuse": func() { from.media(packet, netip.AddrPort{}, now) },
	} {
		if n := testing.AllocsPerRun(200, f); n != 0 {
			t.Errorf("%s: %v allocations a packet", what, n)
		}
	}
	if s, _ := to.Stats(); s.TxPackets < 400 {
		t.Errorf("only %d packets left", s.TxPackets)
	}
}

// TestLeavesInTheOrderOfStamps has both kinds of senders at one stream.
func TestLeavesInTheOrderOfStamps(t *testing.T) {
	from, to, _ := pair(t)
	sink, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close()
	listener := sink.LocalAddr().(*net.UDPAddr).AddrPort()
	far := media.FarEnd{RTP: listener, Events: -1, ClockRate: 8000, Ptime: 20 * time.Millisecond, Send: true}
	if err := to.Connect(far); err != nil {
		t.Fatal(err)
	}
	const each = 50
	sent := make(chan struct{}, 2)
	go func() {
		for range each {
			if err := to.Send(media.Payload{Samples: 160, Data: []byte{1}}); err != nil {
				t.Error(err)
			}
		}
		sent <- struct{}{}
	}()
	go func() {
		for i := range each {
			h := rtpstream.Header{Stamp: rtpstream.Stamp{Sequence: uint16(i), Timestamp: uint32(160 * i)}}
			if err := to.relay(h.Append(nil), h, origin{leg: from.id, now: time.Now()}); err != nil {
				t.Error(err)
			}
		}
		sent <- struct{}{}
	}()
	defer func() { <-sent; <-sent }()
	buf := make([]byte, 100)
	var last rtpstream.Header
	for i := range 2 * each {
		sink.SetReadDeadline(time.Now().Add(20 * time.Second))
		n, _, err := sink.ReadFrom(buf)
		if err != nil {
			t.Fatal(err)
		}
		h, _ := rtpstream.Parse(buf[:n])
		if i > 0 && h.Sequence != last.Sequence+1 {
			t.Fatalf("%d follows %d", h.Sequence, last.Sequence)
		}
		last = h
	}
}

func BenchmarkRelay(b *testing.B) {
	from, _, far := pair(b)
	h := rtpstream.Header{SSRC: 1}
	packet := append(h.Append(nil), make([]byte, 160)...)
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		h.Sequence++
		h.Put(packet)
		now = now.Add(20 * time.Millisecond) // below the ceiling
		from.media(packet, far, now)
	}
}
