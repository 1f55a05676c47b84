package bpf

import (
	"net/netip"
	"testing"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"

	"mcp/bpf/bpftest"
)

// stream feeds packets into the caller's leg and sees them leave as the
// server's, or sends userspace's own there.
type stream struct {
	*rig
	t    testing.TB
	legs map[uint32]*Leg // that arriving sources have, by SSRC
}

func newStream(t testing.TB) *stream {
	r := newRig(t, rigOptions{mode: ModeGeneric, static: true})
	r.openLegs(t)
	return &stream{rig: r, t: t, legs: make(map[uint32]*Leg)}
}

// relay returns nothing when the packet was dropped.
func (s *stream) relay(in bpftest.RTP) (bpftest.RTP, bool) {
	s.t.Helper()
	in.Payload = []byte{1, 2, 3, 4}
	frame := s.fromCaller(in)
	frame.Dst = s.legOf(in.SSRC).Local()
	action, out := s.run(s.t, frame.Bytes())
	if action == xdpDrop {
		return bpftest.RTP{}, false
	}
	return s.leaving(bpftest.Dissect(out)), true
}

// legOf gives each source a leg, because one leg has one source at a time.
func (s *stream) legOf(ssrc uint32) *Leg {
	s.t.Helper()
	if len(s.legs) == 0 {
		s.legs[ssrc] = s.callerLeg
	}
	if s.legs[ssrc] == nil {
		local := netip.AddrPortFrom(s.callerLocal.Addr(), s.callerLocal.Port()+uint16(100*len(s.legs)))
		s.legs[ssrc] = s.openLeg(s.t, local, ssrc)
		must(s.t, s.legs[ssrc].Configure(legConfig(s.callerPeer, s.serverLeg)))
	}
	return s.legs[ssrc]
}

// own sends a packet of userspace's own and returns it as it leaves.
func (s *stream) own(marker bool, ticks uint32) bpftest.RTP {
	s.t.Helper()
	const request = int(unsafe.Sizeof(relaySendRequest{}))
	buf := make([]byte, request+ipv4Length+udpLength)
	copy(buf, bytesOf(&relaySendRequest{Slot: s.serverLeg.slot, LegId: s.serverLeg.id, Ticks: ticks}))
	buf = append(buf, bpftest.RTP{Type: audioType, Marker: marker, Payload: []byte{9}}.Bytes()...)
	run := ebpf.RunOptions{Data: buf, DataOut: make([]byte, len(buf))}
	ret, err := s.plane.objects.Send.Run(&run)
	must(s.t, err)
	if relayVerdict(ret) != relayVerdictSTAMPED {
		s.t.Fatalf("verdict is %s", s.plane.verdictName(relayVerdict(ret)))
	}
	return s.leaving(bpftest.DissectIP(run.DataOut[request:]))
}

func (s *stream) leaving(d bpftest.Datagram, err error) bpftest.RTP {
	s.t.Helper()
	must(s.t, err)
	if d.Src != s.serverLocal || d.Dst != s.serverPeer || d.TTL != 64 {
		s.t.Fatalf("leaves from %s to %s", d.Src, d.Dst)
	}
	rtp, err := bpftest.ParseRTP(d.Payload)
	must(s.t, err)
	if rtp.SSRC != serverSSRC {
		s.t.Fatalf("SSRC is %x", rtp.SSRC)
	}
	return rtp
}

func (s *stream) mustRelay(in bpftest.RTP) bpftest.RTP {
	s.t.Helper()
	out, ok := s.relay(in)
	if !ok {
		s.t.Fatalf("%+v was dropped", in)
	}
	return out
}

func TestOneSourceKeepsItsShape(t *testing.T) {
	s := newStream(t)
	first, ts, ssrc := uint16(65530), uint32(0xfffffff0), uint32(7)
	base := s.mustRelay(bpftest.RTP{Seq: first, TS: ts, SSRC: ssrc})
	if !base.Marker {
		t.Error("the first packet has no marker")
	}
	// Loss, reordering, a duplicate and a pause: sequence offset, timestamp offset.
	for _, step := range [][2]uint32{{1, 160}, {2, 320}, {5, 800}, {4, 640}, {4, 640}, {6, 960}, {20, 40000}, {100, 60000}, {21, 40160}} {
		out := s.mustRelay(bpftest.RTP{Seq: first + uint16(step[0]), TS: ts + step[1], SSRC: ssrc})
		if out.Seq != base.Seq+uint16(step[0]) || out.TS != base.TS+step[1] || out.Marker {
			t.Errorf("step %v left as %+v, stream began %+v", step, out, base)
		}
	}
	if out := s.mustRelay(bpftest.RTP{Seq: first + 101, TS: ts + 60160, SSRC: ssrc, Marker: true}); !out.Marker {
		t.Error("the source's own marker is lost")
	}
}

func TestSourceChangesContinue(t *testing.T) {
	s := newStream(t)
	last := s.mustRelay(bpftest.RTP{Seq: 100, TS: 5000, SSRC: 1})
	next := func(what string, out bpftest.RTP) {
		t.Helper()
		if out.Seq != last.Seq+1 || !out.Marker {
			t.Errorf("%s: after %+v came %+v", what, last, out)
		}
		if step := out.TS - last.TS; step < frameTicks || step > 60*8000 {
			t.Errorf("%s: timestamp steps by %d", what, step)
		}
		last = out
	}
	next("another source", s.mustRelay(bpftest.RTP{Seq: 60000, TS: 1 << 31, SSRC: 2}))
	if _, ok := s.relay(bpftest.RTP{Seq: 99, TS: 4840, SSRC: 1}); ok {
		t.Error("a late packet of the replaced source was relayed")
	}
	if _, ok := s.relay(bpftest.RTP{Seq: 59999, TS: 1<<31 - 160, SSRC: 2}); ok {
		t.Error("a packet from before the present source was relayed")
	}
	next("sequence restarts", s.mustRelay(bpftest.RTP{Seq: 10000, TS: 1<<31 + 160, SSRC: 2}))
	next("timestamp falls back", s.mustRelay(bpftest.RTP{Seq: 10001, TS: 77, SSRC: 2}))
	next("timestamp runs away", s.mustRelay(bpftest.RTP{Seq: 10002, TS: 1 << 30, SSRC: 2}))
	next("userspace", s.own(false, frameTicks))
	for range 3 {
		out := s.own(false, frameTicks)
		if out.Seq != last.Seq+1 || out.TS != last.TS+frameTicks || out.Marker {
			t.Errorf("after %+v came %+v", last, out)
		}
		last = out
	}
	next("back to the source", s.mustRelay(bpftest.RTP{Seq: 10003, TS: 1<<30 + 160, SSRC: 2}))
	if s := s.stats(t, s.serverLeg); s.Dropped["late"] != 0 {
		t.Errorf("%+v", s)
	}
}

// Time that goes by between sources shows in the timestamp.
func TestSilenceShowsInTimestamp(t *testing.T) {
	s := newStream(t)
	const pause = 120 * time.Millisecond
	start := time.Now()
	first := s.own(false, frameTicks)
	time.Sleep(pause)
	second := s.own(true, frameTicks)
	third := s.mustRelay(bpftest.RTP{Seq: 1, SSRC: 1})
	most := uint32(time.Since(start).Seconds()*8000) + 2*frameTicks
	if step := second.TS - first.TS; step < 120*8 || step > most {
		t.Errorf("timestamp stepped by %d in %s", step, time.Since(start))
	}
	if third.TS-second.TS < frameTicks || third.Seq != first.Seq+2 {
		t.Errorf("after %+v came %+v", second, third)
	}
}

// Two processors stamp at the same time: the one that read its clock first may come last.
func TestAClockThatWasReadBeforeIsNoSilence(t *testing.T) {
	s := newStream(t)
	later := func(leg *Leg, change func(entry *relayLeg, ns uint64)) {
		t.Helper()
		entry, err := leg.read()
		must(t, err)
		change(entry, uint64(time.Second))
		must(t, s.plane.objects.Legs.Update(leg.slot, entry, ebpf.UpdateExist|ebpf.UpdateLock))
	}
	first := s.mustRelay(bpftest.RTP{Seq: 100, TS: 5000, SSRC: 1})
	later(s.serverLeg, func(entry *relayLeg, ns uint64) { entry.Egress.LastNs += ns })
	if own := s.own(true, frameTicks); own.TS-first.TS != frameTicks {
		t.Errorf("the timestamp steps by %d", own.TS-first.TS)
	}
	later(s.serverLeg, func(entry *relayLeg, ns uint64) { entry.Egress.ReplacedNs += ns })
	if out, ok := s.relay(bpftest.RTP{Seq: 99, TS: 4840, SSRC: 1}); ok {
		t.Errorf("a late packet of the replaced source left as %+v", out)
	}
	later(s.callerLeg, func(entry *relayLeg, ns uint64) { entry.Ingress.LastNs += ns })
	want(t, "another source", s.arrive(t, s.callerPeer, bpftest.RTP{Seq: 7, SSRC: 2}), "drop_ssrc")
}

// An event's packets share one timestamp; the last one moves the time on.
func TestEventPacketsShareTimestamp(t *testing.T) {
	s := newStream(t)
	first := s.own(true, 0)
	second := s.own(false, 0)
	last := s.own(false, 800)
	if second.TS != first.TS || last.TS != first.TS {
		t.Errorf("timestamps are %d, %d, %d", first.TS, second.TS, last.TS)
	}
	if after := s.own(false, frameTicks); after.TS != first.TS+800 {
		t.Errorf("timestamp after the event is %d, began at %d", after.TS, first.TS)
	}
}

// The packets of an event say when it began (RFC 4733 section 2.1), and what follows is
// later by as long as it lasted.
func TestTimeGoesByWhileAnEventLasts(t *testing.T) {
	s := newStream(t)
	const held = 120 * time.Millisecond
	first := s.own(true, 0)
	time.Sleep(held)
	if last := s.own(false, 0); last.TS != first.TS {
		t.Fatalf("an event began at %d and at %d", first.TS, last.TS)
	}
	begun := s.stats(t, s.serverLeg).Tx
	if since := time.Since(begun.At); begun.Timestamp != first.TS || since < held {
		t.Errorf("what began at %d is said to have left %s ago", begun.Timestamp, since)
	}
	if next := s.own(true, frameTicks); next.TS-first.TS < uint32(held.Milliseconds())*8 {
		t.Errorf("what follows after %s is %d later", held, next.TS-first.TS)
	}
}

// source makes packets as a far end might, and remembers its place.
type source struct {
	ssrc uint32
	seq  uint16
	ts   uint32
}

func (s *source) next(lose int) bpftest.RTP {
	s.seq += uint16(1 + lose)
	s.ts += uint32(1+lose) * frameTicks
	return bpftest.RTP{Seq: s.seq, TS: s.ts, SSRC: s.ssrc}
}

func TestStatisticsOfIngress(t *testing.T) {
	s := newStream(t)
	send := func(seqs ...uint16) {
		for _, seq := range seqs {
			s.relay(bpftest.RTP{Seq: seq, TS: uint32(seq) * frameTicks, SSRC: 1})
		}
	}
	send(65534, 65535, 0, 1, 4, 3) // 2 is lost, 3 is late
	if got := s.stats(t, s.callerLeg); got.RxLost != 1 || got.RxPackets != 6 {
		t.Errorf("%+v", got)
	}
	// The far end is signalled anew, and another source starts over.
	must(t, s.callerLeg.Configure(legConfig(addrPort("10.1.0.2", 4444), s.serverLeg)))
	must(t, s.callerLeg.Configure(legConfig(s.callerPeer, s.serverLeg)))
	s.legs[2] = s.callerLeg
	before := s.stats(t, s.callerLeg).Source.Jitter
	s.relay(bpftest.RTP{Seq: 9000, SSRC: 2})
	if after := s.stats(t, s.callerLeg).Source.Jitter; before == 0 || after != 0 {
		t.Errorf("jitter was %d, another source begins with %d", before, after)
	}
	s.relay(bpftest.RTP{Seq: 9003, SSRC: 2})
	steady := s.stats(t, s.callerLeg).Source.Jitter
	s.relay(bpftest.RTP{Seq: 9004, TS: 1 << 31, SSRC: 2}) // its clock was set anew
	if got := s.stats(t, s.callerLeg).Source.Jitter; got > steady {
		t.Errorf("jitter was %d, after a jump of the timestamp it is %d", steady, got)
	}
	if got := s.stats(t, s.callerLeg); got.RxLost != 3 || got.RxPackets != 9 {
		t.Errorf("%+v", got)
	}
	s.relay(bpftest.RTP{Seq: 40000, SSRC: 2}) // RFC 3550 A.1: a jump counts when it goes on
	s.relay(bpftest.RTP{Seq: 40001, SSRC: 2})
	s.relay(bpftest.RTP{Seq: 40002, SSRC: 2})
	if got := s.stats(t, s.callerLeg); got.RxLost != 3 || got.RxPackets != 12 {
		t.Errorf("%+v", got)
	}
}

func TestDirections(t *testing.T) {
	s := newStream(t)
	in := bpftest.RTP{SSRC: 1}
	config := legConfig(s.callerPeer, s.serverLeg)
	config.MayReceive = false
	must(t, s.callerLeg.Configure(config))
	if _, ok := s.relay(in); ok || s.stats(t, s.callerLeg).Dropped["held"] != 1 {
		t.Error("a leg that may not receive does")
	}
	must(t, s.callerLeg.Configure(legConfig(s.callerPeer, s.serverLeg)))
	config = legConfig(s.serverPeer, nil)
	config.MaySend = false
	must(t, s.serverLeg.Configure(config))
	if _, ok := s.relay(in); ok || s.stats(t, s.callerLeg).Dropped["held"] != 2 {
		t.Error("a leg that may not send does")
	}
	must(t, s.serverLeg.Configure(LegConfig{}))
	if _, ok := s.relay(in); ok || s.stats(t, s.callerLeg).Dropped["muted"] != 1 {
		t.Error("a muted leg sends")
	}
	must(t, s.callerLeg.Configure(LegConfig{}))
	if _, ok := s.relay(in); ok || s.stats(t, s.callerLeg).Dropped["muted"] != 2 {
		t.Error("a muted leg receives")
	}
}
