package report

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtcp"
)

func compound(t *testing.T, r *Session, s Streams, now time.Time, last bool) []rtcp.Packet {
	t.Helper()
	b := r.Compound(s, now, last)
	packets, err := rtcp.Unmarshal(b)
	if err != nil {
		t.Fatal(err)
	}
	if same, err := rtcp.Marshal(packets); err != nil || !bytes.Equal(same, b) {
		t.Errorf("%x, the library writes %x, %v", b, same, err)
	}
	if err := rtcp.CompoundPacket(packets).Validate(); err != nil {
		t.Error(err)
	}
	if name, err := rtcp.CompoundPacket(packets).CNAME(); err != nil || name != r.cname {
		t.Errorf("CNAME is %q, %v", name, err)
	}
	return packets
}

func TestKindsOfReports(t *testing.T) {
	r := NewSession(7, "me")
	now := time.Unix(1e9, 0)
	s := Streams{Rate: 8000}
	if p, ok := compound(t, r, s, now, false)[0].(*rtcp.ReceiverReport); !ok || p.SSRC != 7 || len(p.Reports) != 0 {
		t.Errorf("before anything: %+v", p)
	}
	s.SentPackets, s.SentOctets, s.Timestamp, s.SentAt = 10, 1600, 0xffffff00, now
	now = now.Add(250 * time.Millisecond)
	p, ok := compound(t, r, s, now, false)[0].(*rtcp.SenderReport)
	if !ok || p.PacketCount != 10 || p.OctetCount != 1600 || p.RTPTime != 0x6d0 {
		t.Fatalf("after sending: %+v", p)
	}
	if p.NTPTime>>32 != 1e9+epoch || p.NTPTime&0xffffffff != 1<<30 {
		t.Errorf("NTP time %x", p.NTPTime)
	}
	if _, ok := compound(t, r, s, now, false)[0].(*rtcp.SenderReport); !ok {
		t.Error("one interval later it is a sender still")
	}
	if _, ok := compound(t, r, s, now, false)[0].(*rtcp.ReceiverReport); !ok {
		t.Error("two intervals later it is none any more")
	}
	packets := compound(t, r, s, now, true)
	if bye, ok := packets[len(packets)-1].(*rtcp.Goodbye); !ok || len(bye.Sources) != 1 || bye.Sources[0] != 7 {
		t.Errorf("the last is %+v", packets)
	}
}

// Who has never sent a packet of either kind must not say good-bye (RFC 3550 section
// 6.3.7).
func TestNobodyLeavesWhoWasNeverThere(t *testing.T) {
	now := time.Unix(1e9, 0)
	heard := Streams{Rate: 8000, Received: 5, Source: Source{SSRC: 9}}
	if b := NewSession(7, "me").Compound(heard, now, true); len(b) != 0 {
		t.Errorf("who has only listened says %x", b)
	}
	reported := NewSession(7, "me")
	compound(t, reported, heard, now, false)
	spoken := heard
	spoken.SentPackets = 1
	for name, last := range map[string][]rtcp.Packet{
		"reported": compound(t, reported, heard, now, true),
		"spoken":   compound(t, NewSession(7, "me"), spoken, now, true),
	} {
		if _, ok := last[len(last)-1].(*rtcp.Goodbye); !ok {
			t.Errorf("who has %s leaves with %+v", name, last)
		}
	}
}

func TestReportBlocks(t *testing.T) {
	r := NewSession(7, "me")
	now := time.Unix(1e9, 0)
	block := func(s Streams) rtcp.ReceptionReport {
		t.Helper()
		p := compound(t, r, s, now, false)[0].(*rtcp.ReceiverReport)
		if len(p.Reports) != 1 {
			t.Fatalf("%+v", p)
		}
		return p.Reports[0]
	}
	s := Streams{Rate: 8000, Received: 100, Source: Source{SSRC: 9, Highest: 65600, Lost: 4, Jitter: 12}}
	if b := block(s); b != (rtcp.ReceptionReport{SSRC: 9, TotalLost: 4, LastSequenceNumber: 65600, Jitter: 12}) {
		t.Errorf("%+v", b)
	}
	s.Received, s.Source.Highest, s.Source.Lost = 175, 65700, 29
	if b := block(s); b.FractionLost != 64 || b.TotalLost != 29 {
		t.Errorf("a quarter was lost: %+v", b)
	}
	s.Received, s.Source.Highest, s.Source.Lost = 300, 65800, 20 // late ones and repeated
	if b := block(s); b.FractionLost != 0 || b.TotalLost != 20 {
		t.Errorf("%+v", b)
	}
	s.Received, s.Source = 400, Source{SSRC: 10, Highest: 50, Lost: -3}
	if b := block(s); b.FractionLost != 0 || b.TotalLost != 0 {
		t.Errorf("another source: %+v", b)
	}
	if p := compound(t, r, s, now, false)[0].(*rtcp.ReceiverReport); len(p.Reports) != 0 {
		t.Errorf("nothing came since: %+v", p)
	}
	s.Received, s.Source.Lost = 401, math.MaxInt32
	if b := block(s); b.TotalLost != 0x7fffff {
		t.Errorf("%+v", b)
	}
}

// TestTwoSidesMeasureTheRoundTrip follows the example of RFC 3550 section 6.4.1.
func TestTwoSidesMeasureTheRoundTrip(t *testing.T) {
	here, there := NewSession(1, "here"), NewSession(2, "there")
	now := time.Unix(1e9, 123456789)
	take := func(r *Session, b []byte) {
		t.Helper()
		if err := r.Take(b, 8000, now); err != nil {
			t.Fatal(err)
		}
	}
	b := here.Compound(Streams{Rate: 8000, SentPackets: 5, SentAt: now}, now, false)
	now = now.Add(40 * time.Millisecond)
	take(there, b)
	if _, ok := there.Far(); ok {
		t.Error("nothing was told of the other stream")
	}
	now = now.Add(3 * time.Second)
	b = there.Compound(Streams{Rate: 8000, Received: 5, Source: Source{SSRC: 1, Highest: 5, Lost: 2, Jitter: 80}}, now, false)
	now = now.Add(60 * time.Millisecond)
	take(here, b)
	far, ok := here.Far()
	if !ok || (far.RoundTrip-100*time.Millisecond).Abs() > time.Millisecond || far.Lost != 2 || far.Jitter != 10*time.Millisecond || far.At != now {
		t.Errorf("%+v", far)
	}
	// A report about somebody else's stream is none of ours.
	b = there.Compound(Streams{Rate: 8000, Received: 6, Source: Source{SSRC: 3, Lost: 9}}, now, true)
	take(here, b)
	if far, _ := here.Far(); far.Lost != 2 {
		t.Errorf("%+v", far)
	}
}

// A far end that got some packets twice says that fewer than none were lost: the number
// has a sign (RFC 3550 section 6.4.1).
func TestAFarEndGotMoreThanWasSent(t *testing.T) {
	r := NewSession(7, "me")
	b, err := (&rtcp.ReceiverReport{SSRC: 9, Reports: []rtcp.ReceptionReport{{SSRC: 7, TotalLost: 0xfffffe}}}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Take(b, 8000, time.Unix(1e9, 0)); err != nil {
		t.Fatal(err)
	}
	far, _ := r.Far()
	if q := Sent(1000, far); far.Lost != -2 || q.Loss != 0 || q.MOS < 4 {
		t.Errorf("%+v, %+v", far, q)
	}
}

func FuzzTake(f *testing.F) {
	r := NewSession(7, "me")
	f.Add(r.Compound(Streams{Rate: 8000, Received: 1, Source: Source{SSRC: 7}, SentPackets: 1}, time.Unix(1e9, 0), true))
	f.Add([]byte{0x81, 201, 0, 1})
	f.Fuzz(func(t *testing.T, packet []byte) {
		r := NewSession(7, "me")
		if err := r.Take(packet, 8000, time.Unix(1e9, 0)); err != nil {
			return
		}
		if far, ok := r.Far(); ok && (far.RoundTrip < 0 || far.FractionLost > 1) {
			t.Errorf("%+v", far)
		}
	})
}

// Names of every length end on a whole word, and what was written last is no longer than
// there is room for.
func TestNamesOfEveryLength(t *testing.T) {
	now := time.Unix(1e9, 0)
	for n := range 256 {
		r := NewSession(7, strings.Repeat("x", n))
		s := Streams{Rate: 8000, Received: 1, Source: Source{SSRC: 9}, SentPackets: 1}
		compound(t, r, s, now, true)
		if room := mostOctets + n; cap(NewSession(7, r.cname).Compound(s, now, true)) != room {
			t.Errorf("a name of %d octets: no room for it in %d", n, room)
		}
	}
}

func BenchmarkCompound(b *testing.B) {
	r := NewSession(7, "of sixteen octets")
	s := Streams{Rate: 8000, Received: 1, Source: Source{SSRC: 9}, SentPackets: 1}
	b.ReportAllocs()
	for b.Loop() {
		s.Received++
		s.SentPackets++
		r.Compound(s, time.Unix(1e9, 0), true)
	}
}
