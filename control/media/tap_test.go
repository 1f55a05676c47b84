package media

import (
	"errors"
	"testing"
	"time"

	"mcp/control/media/codec"
	"mcp/control/media/rtpstream"
)

// eavesdropper collects what a listener hears.
type eavesdropper []Heard

func (h *eavesdropper) Audio(p Heard) {
	p.Payload = append([]byte(nil), p.Payload...)
	*h = append(*h, p)
}

func TestATapCopiesAndTheRelayGoesOn(t *testing.T) {
	s := newStudio(t)
	caller, c := s.connected("caller", codec.PCMU)
	server, p := s.connected("server", codec.PCMU)
	s.must(s.session.Join(caller, server))
	var first, second eavesdropper
	a, err := caller.Tap(&first)
	s.must(err)
	c.wantRoute(t, p, true, 2)
	b, err := caller.Tap(&second)
	s.must(err)
	c.wantRoute(t, p, true, 2)
	if !caller.Overheard() || server.Overheard() {
		t.Errorf("the caller is overheard: %t, the server: %t", caller.Overheard(), server.Overheard())
	}
	h := rtpstream.Header{Stamp: rtpstream.Stamp{Sequence: 7, Timestamp: 160, Marker: true}, SSRC: 9}
	c.hears(h, []byte("audio"))
	s.must(a.Close())
	c.hears(h, []byte("again"))
	s.must(b.Close())
	c.wantRoute(t, p, false, 3)
	if caller.Overheard() {
		t.Error("nobody listens any more")
	}
	c.hears(h, []byte("nobody"))
	if len(first) != 1 || len(second) != 2 {
		t.Fatalf("the first heard %d packets, the second %d", len(first), len(second))
	}
	got := second[0]
	if got.Codec != codec.PCMU || got.SSRC != 9 || got.Sequence != 7 || got.Timestamp != 160 || !got.Marker ||
		string(got.Payload) != "audio" || got.At.IsZero() {
		t.Errorf("heard %+v", got)
	}
}

func TestATapOfALegThatIsGone(t *testing.T) {
	s := newStudio(t)
	caller, _ := s.connected("caller", codec.PCMU)
	tap, err := caller.Tap(new(eavesdropper))
	s.must(err)
	s.must(caller.Close())
	s.must(tap.Close())
	if _, err := caller.Tap(new(eavesdropper)); !errors.Is(err, ErrClosed) {
		t.Errorf("tapped a closed leg: %v", err)
	}
}

func TestHeardDoesNotAllocate(t *testing.T) {
	s := newStudio(t)
	caller, c := s.connected("caller", codec.PCMU)
	n := 0
	tap, err := caller.Tap(ListenerFunc(func(h Heard) { n += len(h.Payload) }))
	s.must(err)
	packet := append(rtpstream.Header{SSRC: 1}.Append(nil), make([]byte, 160)...)
	if a := testing.AllocsPerRun(100, func() { c.config.Receiver.RTP(packet, time.Now()) }); a != 0 {
		t.Errorf("%g allocations a packet", a)
	}
	s.must(tap.Close())
	if n != 101*160 {
		t.Errorf("%d octets heard", n)
	}
}

// What a far end hears is handed over whoever says it.
func TestAMonitorHearsWhatTheFarEndHears(t *testing.T) {
	s := newStudio(t)
	caller, c := s.connected("caller", codec.PCMU)
	server, p := s.connected("server", codec.PCMU)
	s.must(s.session.Join(server, caller))
	var got eavesdropper
	m, err := caller.Monitor(&got)
	s.must(err)
	p.wantRoute(t, c, true, 2)
	p.hears(rtpstream.Header{Stamp: rtpstream.Stamp{Sequence: 5}, SSRC: 9}, []byte("relayed"))
	c.hears(rtpstream.Header{Stamp: rtpstream.Stamp{Sequence: 5}, SSRC: 8}, []byte("said"))
	clip, err := NewClip(make([]int16, 400), codec.PCMU)
	s.must(err)
	b, err := s.session.Play(caller, clip)
	s.must(err)
	<-b.Done()
	s.must(caller.SendDigits(t.Context(), "1"))
	s.must(m.Close())
	p.wantRoute(t, c, false, 7)
	if len(got) != 4 || string(got[0].Payload) != "relayed" {
		t.Fatalf("heard %d packets: %+v", len(got), got)
	}
	for i, h := range got[1:] {
		if h.SSRC != 0 || h.Sequence != uint16(i+1) || h.Timestamp != uint32(i*160) || len(h.Payload) != 160 {
			t.Errorf("packet %d of the clip is %+v", i, h)
		}
	}
	_ = server
}
