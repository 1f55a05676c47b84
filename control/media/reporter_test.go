package media

import (
	"testing"
	"time"

	"github.com/pion/rtcp"

	"mcp/control/media/codec"
	"mcp/control/media/report"
)

func (l *recorded) reports(t testing.TB) [][]rtcp.Packet {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var all [][]rtcp.Packet
	for _, b := range l.control {
		packets, err := rtcp.Unmarshal(b)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, packets)
	}
	return all
}

func TestLegsReport(t *testing.T) {
	timed(t, func(s *studio) {
		l, p := s.connected("caller", codec.PCMU)
		other, q := s.connected("server", codec.PCMU)
		_, idle := s.open("idle")
		p.mu.Lock()
		p.stats = LegStats{
			RxPackets: 50, TxPackets: 100, TxBytes: 17200, Tx: Place{Timestamp: 4000, At: time.Now()},
			Source: Source{SSRC: 77, Highest: 50},
		}
		p.mu.Unlock()
		const minutes = 10
		time.Sleep(minutes * time.Minute)
		all := p.reports(s)
		if n := len(all); n < 12*minutes*9/10 || n > 12*minutes*11/10 {
			s.Errorf("%d reports in %d minutes", n, minutes)
		}
		first, ok := all[0][0].(*rtcp.SenderReport)
		if !ok || first.SSRC != p.config.SSRC || first.PacketCount != 100 || first.OctetCount != 16000 || len(first.Reports) != 1 || first.Reports[0].SSRC != 77 {
			s.Errorf("the first report is %+v", all[0])
		}
		name, _ := rtcp.CompoundPacket(all[0]).CNAME()
		if theirs, _ := rtcp.CompoundPacket(q.reports(s)[0]).CNAME(); name != theirs || len(name) != 16 {
			s.Errorf("one call is %q and %q", name, theirs)
		}
		if n := len(idle.reports(s)); n != 0 {
			s.Errorf("%d reports to nobody", n)
		}
		s.must(other.Connect(FarEnd{}, codec.PCMU))
		s.must(l.Close())
		s.session.Close()
		ended := p.reports(s)
		last := ended[len(ended)-1]
		if _, ok := last[len(last)-1].(*rtcp.Goodbye); !ok || len(ended) != len(all)+1 {
			s.Errorf("%d reports at the end, the last %+v", len(ended)-len(all), last)
		}
		time.Sleep(time.Minute)
		if n := len(p.reports(s)); n != len(ended) {
			s.Errorf("%d reports after the end", n-len(ended))
		}
	})
}

func TestFarEndsReport(t *testing.T) {
	timed(t, func(s *studio) {
		l, p := s.connected("caller", codec.PCMU)
		if _, ok := l.FarReport(); ok {
			s.Error("there is a report already")
		}
		there := report.NewSession(77, "there")
		packet := there.Compound(report.Streams{
			Rate: 8000, Received: 10, Source: report.Source{SSRC: p.config.SSRC, Highest: 12, Lost: 2, Jitter: 16},
		}, time.Now(), false)
		l.RTCP(packet, time.Now())
		l.RTCP([]byte{0x80}, time.Now())
		if far, ok := l.FarReport(); !ok || far.Lost != 2 || far.Jitter != 2*time.Millisecond {
			s.Errorf("%+v, %t", far, ok)
		}
		if got := s.session.Close(); got[0].Sent.Jitter != 2*time.Millisecond || got[0].Sent.MOS == 0 {
			s.Errorf("%+v", got)
		}
	})
}
