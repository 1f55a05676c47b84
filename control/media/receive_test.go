package media

import (
	"bytes"
	"log/slog"
	"maps"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"mcp/control/media/codec"
	"mcp/control/media/rtpstream"
)

// voice is a far end's stream as its leg's receiver gets it.
type voice struct {
	to *recorded
	rtpstream.Header
}

func (v *voice) event(key byte, end bool) {
	h := v.Header
	h.Type = 101
	payload := []byte{key, 10, 0, 160}
	if end {
		payload[1] |= 0x80
	}
	v.to.hears(h, payload)
	v.Sequence++
}

func (v *voice) says(octet byte) {
	v.to.hears(v.Header, bytes.Repeat([]byte{octet}, 160))
	v.skip()
}

func (v *voice) skip() {
	v.Marker = false
	v.Sequence++
	v.Timestamp += 160
}

func TestEachKeyIsOneDigit(t *testing.T) {
	s := newStudio(t)
	l, p := s.connected("caller", codec.PCMU)
	v := voice{to: p}
	for _, key := range []byte{4, 4, 11, 15} {
		v.event(key, false)
		for range 3 {
			v.event(key, true)
		}
		v.Timestamp += 1600
	}
	for _, want := range "44#D" {
		select {
		case d := <-l.Digits():
			if d.Key != byte(want) {
				t.Errorf("%c, want %c", d.Key, want)
			}
		default:
			t.Fatalf("no digit %c", want)
		}
	}
	if len(l.Digits()) != 0 {
		t.Errorf("%d more digits", len(l.Digits()))
	}
}

func TestDigitsThatNobodyReadsDoNotBlock(t *testing.T) {
	s := newStudio(t)
	l, p := s.connected("caller", codec.PCMU)
	v := voice{to: p}
	for range digitQueue + 5 {
		v.event(1, true)
		v.Timestamp += 1600
	}
	if n := len(l.Digits()); n != digitQueue {
		t.Errorf("%d digits wait", n)
	}
	if s.engine.tally.digits.Load() != digitQueue || s.engine.tally.lostDigits.Load() != 5 {
		t.Errorf("%d digits, %d lost", s.engine.tally.digits.Load(), s.engine.tally.lostDigits.Load())
	}
}

// Who takes keys gets those that waited, and those that come, in order; when it stops
// they wait again.
func TestTakeDigits(t *testing.T) {
	s := newStudio(t)
	l, p := s.connected("caller", codec.PCMU)
	v := voice{to: p}
	press := func(key byte) {
		v.event(key, true)
		v.Timestamp += 1600
	}
	press(1)
	press(2)
	var taken []byte
	stop := l.TakeDigits(func(d Digit) bool {
		if len(taken) == 4 {
			return false
		}
		taken = append(taken, d.Key)
		return true
	})
	press(3)
	press(4)
	press(5)
	stop()
	press(6)
	if string(taken) != "1234" || len(l.Digits()) != 1 || (<-l.Digits()).Key != '6' {
		t.Errorf("%s were taken", taken)
	}
	if n, lost := s.engine.tally.digits.Load(), s.engine.tally.lostDigits.Load(); n != 5 || lost != 1 {
		t.Errorf("%d digits, %d lost", n, lost)
	}
}

func TestWhatIsNoEventIsNoDigit(t *testing.T) {
	s := newStudio(t)
	l, p := s.open("caller")
	v := voice{to: p}
	v.event(1, true) // not connected
	far := agreed(codec.PCMU)
	far.Events = -1
	s.must(l.Connect(far, codec.PCMU))
	v.event(2, true)
	p.config.Receiver.RTP([]byte{0x80, 101}, time.Now())
	p.config.Receiver.RTCP([]byte{0x80, 201, 0, 1, 0, 0, 0, 7}, time.Now())
	if n := len(l.Digits()); n != 0 {
		t.Errorf("%d digits", n)
	}
}

func TestForwardedAudioIsTranscodedInOrder(t *testing.T) {
	s := newStudio(t)
	caller, c := s.connected("caller", codec.PCMU)
	server, p := s.connected("server", codec.PCMA)
	s.must(s.session.Join(caller, server))
	v := voice{to: c, Header: rtpstream.Header{Stamp: rtpstream.Stamp{Sequence: 65534, Timestamp: 0xffffff00}, SSRC: 1}}
	v.says(0x80)
	v.says(0x10)
	late := v
	v.skip()
	v.says(0x20) // one is missing before
	late.says(0x11)
	v.says(0x30)
	v.Marker = true
	v.Timestamp += 16000 // silence suppressed
	v.says(0x40)
	v.SSRC, v.Sequence = 2, 100 // another source
	v.says(0x50)
	v.Sequence -= 20000 // starts over
	v.says(0x60)
	sent := p.all()
	tr, err := codec.NewTranscoder(codec.PCMU, codec.PCMA)
	s.must(err)
	want := []struct {
		octet  byte
		marker bool
	}{{0x80, true}, {0x10, false}, {0x20, true}, {0x30, false}, {0x40, true}, {0x50, true}, {0x60, false}}
	if len(sent) != len(want) {
		t.Fatalf("%d frames went on", len(sent))
	}
	for i, w := range want {
		if sent[i].Data[0] != tr[w.octet] || sent[i].Marker != w.marker || sent[i].Samples != 160 || sent[i].PayloadType != 8 {
			t.Errorf("frame %d is %+v, want %+v", i, sent[i], w)
		}
	}
}

func TestForwardingKnowsPaddingAndHold(t *testing.T) {
	s := newStudio(t)
	caller, c := s.connected("caller", codec.PCMU)
	server, p := s.connected("server", codec.PCMA)
	s.must(s.session.Join(caller, server))
	padded := append([]byte{0xa0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1}, bytes.Repeat([]byte{0xff}, 160)...)
	c.config.Receiver.RTP(append(padded, 0, 2), time.Now())
	c.config.Receiver.RTP([]byte{0xa0, 0, 0, 2, 0, 0, 0, 161, 0, 0, 0, 1, 0xff, 0xff, 0, 200}, time.Now())
	sent := p.all()
	if len(sent) != 1 || len(sent[0].Data) != 160 {
		t.Errorf("%+v", sent)
	}
	held := agreed(codec.PCMA)
	held.Send = false
	s.must(server.Connect(held, codec.PCMA))
	(&voice{to: c, Header: rtpstream.Header{SSRC: 1, Stamp: rtpstream.Stamp{Sequence: 3}}}).says(1)
	if n := len(p.all()); n != 1 {
		t.Errorf("%d frames left", n)
	}
}

func TestReceivingDoesNotAllocate(t *testing.T) {
	s := newStudio(t)
	caller, _ := s.connected("caller", codec.PCMU)
	server, p := s.connected("server", codec.PCMA)
	p.keep = false
	s.must(s.session.Join(caller, server))
	h := rtpstream.Header{SSRC: 1}
	packet := append(h.Append(nil), make([]byte, 160)...)
	now := time.Now()
	if n := testing.AllocsPerRun(100, func() {
		h.Sequence++
		h.Put(packet)
		caller.RTP(packet, now)
	}); n != 0 {
		t.Errorf("%v allocations a packet", n)
	}
}

func TestMetrics(t *testing.T) {
	s := newStudio(t)
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(s.engine)
	_, a := s.connected("a", codec.PCMU)
	l, b := s.connected("b", codec.PCMU)
	a.stats = LegStats{RxPackets: 10, RxRelayed: 8, RxUser: 2, RTCP: 1, Dropped: map[string]uint64{"source": 3}}
	b.stats = LegStats{RxPackets: 5, TxPackets: 8, TxRelayed: 7, Dropped: map[string]uint64{"source": 1, "late": 2}}
	want := map[string]float64{
		"mcp_media_legs": 2, "mcp_media_codec_legs PCMU": 2, "mcp_media_ports_used": 2, "mcp_media_playbacks": 0,
		"mcp_media_rx_packets_total": 15, "mcp_media_rx_relayed_packets_total": 8, "mcp_media_rx_user_packets_total": 2,
		"mcp_media_tx_packets_total": 8, "mcp_media_tx_relayed_packets_total": 7, "mcp_media_rtcp_packets_total": 1,
		"mcp_media_dtls_handshakes_total keys": 0, "mcp_media_dtls_handshakes_total fingerprint": 0, "mcp_media_dtls_handshakes_total timeout": 0,
		"mcp_media_digits_total": 0, "mcp_media_digits_lost_total": 0,
		"mcp_media_dropped_packets_total source": 4, "mcp_media_dropped_packets_total late": 2,
	}
	if got := gather(t, registry); !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	s.must(l.Close())
	s.session.Close()
	delete(want, "mcp_media_codec_legs PCMU")
	want["mcp_media_legs"], want["mcp_media_ports_used"] = 0, 0
	for _, measure := range []string{"mos", "loss_ratio", "jitter_seconds"} {
		want["mcp_media_leg_"+measure+" received"] = 2
	}
	if got := gather(t, registry); !maps.Equal(got, want) {
		t.Errorf("after the legs: %v, want %v", got, want)
	}
}

func gather(t *testing.T, g prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.Metric {
			name := f.GetName()
			for _, label := range m.Label {
				name += " " + label.GetValue()
			}
			got[name] = m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return got
}

func TestEngineConfig(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	if _, err := NewEngine(Config{PortMin: 30000, PortMax: 30000}, newRecorder(), log); err == nil {
		t.Error("a range without a pair is taken")
	}
	e, err := NewEngine(Config{}, newRecorder(), log)
	if err != nil {
		t.Fatal(err)
	}
	if n := e.ports.Size(); n != 12500 {
		t.Errorf("%d ports", n)
	}
	for range 2 {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
}
