package xdp

import (
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/rtp"

	"mcp/control/media"
	"mcp/control/media/codec"
)

// stage is a session on the plane with one connected leg and its far end.
type stage struct {
	*testing.T
	plane   *Plane
	session *media.Session
	leg     *media.Leg
	conn    net.PacketConn
	far     media.FarEnd
}

func newStage(t *testing.T) *stage {
	h := newHost(t)
	n := neighbor(t, h, "10.9.1")
	s := &stage{T: t, plane: h.plane(t)}
	engine, err := media.NewEngine(media.Config{PortMin: 20000, PortMax: 20100}, s.plane, slog.New(slog.DiscardHandler))
	must(t, err)
	s.session = engine.NewSession("call")
	t.Cleanup(func() {
		s.session.Close()
		must(t, engine.Close())
	})
	s.leg, err = s.session.OpenLeg("caller", n.Local)
	must(t, err)
	s.conn, err = n.Listen("udp", netip.AddrPortFrom(n.Addr, 0).String())
	must(t, err)
	t.Cleanup(func() { s.conn.Close() })
	s.far = media.FarEnd{
		RTP: s.conn.LocalAddr().(*net.UDPAddr).AddrPort(), Events: -1, ClockRate: 8000,
		Ptime: 20 * time.Millisecond, Send: true, Receive: true,
	}
	must(t, s.leg.Connect(s.far, codec.PCMU))
	return s
}

// clip is audio whose every frame is another.
func (s *stage) clip(frames int) *media.Clip {
	s.Helper()
	pcm := make([]int16, frames*160)
	for i := range pcm {
		pcm[i] = int16(i * 37)
	}
	c, err := media.NewClip(pcm, codec.PCMU)
	must(s.T, err)
	return c
}

func (s *stage) hear() rtp.Packet {
	s.Helper()
	buf := make([]byte, 2000)
	must(s.T, s.conn.SetReadDeadline(time.Now().Add(patience)))
	n, _, err := s.conn.ReadFrom(buf)
	must(s.T, err)
	var p rtp.Packet
	must(s.T, p.Unmarshal(buf[:n]))
	return p
}

// A session's clip is played by the kernel: every octet, and nothing else.
func TestClipsArePlayedByTheKernel(t *testing.T) {
	s := newStage(t)
	if !s.plane.player.InKernel() {
		t.Fatalf("not in the kernel: %s", s.plane.player.Reason())
	}
	clip := s.clip(20)
	for range 2 {
		before := s.plane.player.Stats()
		b, err := s.session.Play(s.leg, clip)
		must(t, err)
		var last rtp.Packet
		for i := range 20 {
			p := s.hear()
			if string(p.Payload) != string(clip.Payload()[i*160:(i+1)*160]) || p.Marker != (i == 0) || p.PayloadType != 0 {
				t.Fatalf("packet %d is %+v", i, p)
			}
			if i > 0 && (p.SequenceNumber != last.SequenceNumber+1 || p.Timestamp != last.Timestamp+160 || p.SSRC != last.SSRC) {
				t.Fatalf("after %+v came %+v", last.Header, p.Header)
			}
			last = p
		}
		<-b.Done()
		must(t, b.Err())
		after := s.plane.player.Stats()
		if sent := after.Sent - before.Sent; sent != 20 {
			t.Errorf("the player sent %d", sent)
		}
	}
	if cache := s.plane.player.Stats().Cache; cache.Hits != 1 || cache.Misses != 1 {
		t.Errorf("%+v", cache)
	}
}

// After Stop nothing leaves, and the next clip begins at once.
func TestStoppedClip(t *testing.T) {
	s := newStage(t)
	b, err := s.session.Play(s.leg, s.clip(500))
	must(t, err)
	s.hear()
	b.Stop()
	<-b.Done()
	sent := s.plane.player.Stats().Sent
	other := s.clip(3)
	next, err := s.session.Play(s.leg, other)
	must(t, err)
	<-next.Done()
	must(t, next.Err())
	if more := s.plane.player.Stats().Sent - sent; more != 3 {
		t.Errorf("%d packets left after the clip was stopped", more)
	}
}

// A clip begins where it is told to, is repeated, paused and moved in the kernel.
func TestPauseSeekRepeatInTheKernel(t *testing.T) {
	s := newStage(t)
	const frame = 20 * time.Millisecond
	clip := s.clip(50)
	from := func(p rtp.Packet) int { // the frame of the clip
		for i := range 50 {
			if string(p.Payload) == string(clip.Payload()[i*160:(i+1)*160]) {
				return i
			}
		}
		t.Fatalf("no frame of the clip: %+v", p)
		return 0
	}
	b, err := s.session.PlayWith(s.leg, clip, media.PlayOptions{From: 48 * frame, Repeat: -1})
	must(t, err)
	for i, want := range []int{48, 49, 0, 1} {
		if p := s.hear(); from(p) != want || p.Marker != (i == 0) {
			t.Fatalf("packet %d is frame %d, marker %t", i, from(p), p.Marker)
		}
	}
	b.Pause()
	sent := s.plane.player.Stats().Sent
	at := b.Position()
	b.Seek(40 * frame)
	if s.plane.player.Stats().Sent != sent || at < 2*frame {
		t.Errorf("paused at %s", at)
	}
	b.Resume()
	for p := s.hear(); ; p = s.hear() { // some were on their way
		if n := from(p); n == 40 && p.Marker {
			break
		} else if n > 39 {
			t.Fatalf("frame %d, marker %t", n, p.Marker)
		}
	}
	b.Seek(time.Minute) // beyond the end: it begins again
	for from(s.hear()) != 0 {
	}
	b.Stop()
	<-b.Done()
	must(t, b.Err())
}

// The far end changes its codec, then holds and resumes, in mid-clip.
func TestFarEndChangesWhileAClipPlays(t *testing.T) {
	s := newStage(t)
	b, err := s.session.Play(s.leg, s.clip(5000))
	must(t, err)
	s.hear()
	far := s.far
	far.PayloadType = 8
	must(t, s.leg.Connect(far, codec.PCMA))
	for p := s.hear(); p.PayloadType != 8; p = s.hear() {
		if p.PayloadType != 0 {
			t.Fatalf("payload type is %d", p.PayloadType)
		}
	}
	held := far
	held.Send = false
	must(t, s.leg.Connect(held, codec.PCMA))
	sent := s.plane.player.Stats().Sent
	must(t, s.leg.Connect(far, codec.PCMA))
	for s.plane.player.Stats().Sent < sent+3 {
		s.hear()
	}
	b.Stop()
	must(t, b.Err())
}

// What cannot be played so is sent packet by packet.
func TestOtherPlanesLegIsNotPlayedTo(t *testing.T) {
	s := newStage(t)
	var none media.PlaneLeg
	if _, err := s.plane.Play(none, media.Recording{Clip: s.clip(1)}); err == nil {
		t.Error("a leg of no plane was played to")
	}
	far := s.far
	far.Ptime = 100 * time.Millisecond // longer than the player's packets
	must(t, s.leg.Connect(far, codec.PCMU))
	b, err := s.session.Play(s.leg, s.clip(10))
	must(t, err)
	if p := s.hear(); len(p.Payload) != 800 {
		t.Errorf("%d octets", len(p.Payload))
	}
	<-b.Done()
	must(t, errors.Join(b.Err()))
	if s.plane.player.Stats().Sent != 0 {
		t.Error("the player played it")
	}
}
