package planetest

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"time"

	"mcp/control/media"
)

// elsewhere is where a far end is seen to be that is not where it said: at another
// address if the host has one, and at other ports.
func (b *bench) elsewhere(h Host) *farEnd {
	b.Helper()
	if h.Other.IsValid() {
		h.Addr = h.Other
	}
	return b.farEndWithPair(h)
}

// farEndWithPair has its RTCP one port above its RTP.
func (b *bench) farEndWithPair(h Host) *farEnd {
	b.Helper()
	f := b.farEnd(h)
	b.eventually("two ports in a row", func() bool {
		above := netip.AddrPortFrom(h.Addr, addrOf(f.rtp).Port()+1)
		conn, err := h.Listen("udp", above.String())
		if err != nil {
			f.rtp = b.listen(h)
			return false
		}
		b.Cleanup(func() { conn.Close() })
		f.rtcp = conn
		return true
	})
	return f
}

// silent fails when anything but what it sends itself has come to a far end's socket.
func (b *bench) silent(conn net.PacketConn) {
	b.Helper()
	mine := []byte("nothing before this")
	_, err := conn.WriteTo(mine, conn.LocalAddr())
	b.must(err)
	buf := make([]byte, 2048)
	b.must(conn.SetReadDeadline(time.Now().Add(patience)))
	n, from, err := conn.ReadFrom(buf)
	b.must(err)
	if !bytes.Equal(buf[:n], mine) {
		b.Errorf("%s heard %x from %s", conn.LocalAddr(), buf[:n], from)
	}
}

// latching is two legs joined both ways, of which the first may learn that its
// far end is truly elsewhere.
func (b *bench) latching(window time.Duration) (from, to *leg, said, truly, listener *farEnd) {
	b.Helper()
	from = b.open(b.A)
	said, truly = b.farEnd(b.A), b.elsewhere(b.A)
	said.leg, truly.leg = from, from
	truly.next.Type = audioType
	to, listener = b.connected(b.B, otherType)
	agreed := said.agreed(audioType)
	agreed.Latch, agreed.LatchFrom = window, addrOf(truly.rtp).Addr()
	b.must(from.Connect(agreed))
	b.must(from.Route(media.Route{To: to.PlaneLeg}))
	b.must(to.Route(media.Route{To: from.PlaneLeg}))
	return from, to, said, truly, listener
}

// learns has the far end heard by its second packet, which proves it.
func (b *bench) learns(truly, listener *farEnd) {
	b.Helper()
	truly.say(someAudio(ticks))
	b.heardFirst(truly, listener)
}

func latches(b *bench) {
	from, to, said, truly, listener := b.latching(time.Hour)
	prompt := media.Payload{PayloadType: audioType, Samples: ticks, Data: someAudio(ticks)}
	if err := from.Send(prompt); !errors.Is(err, media.ErrUnlatched) {
		b.Errorf("a leg without an address sends: %v", err)
	}
	if err := from.SendRTCP(report); !errors.Is(err, media.ErrUnlatched) {
		b.Errorf("a leg without an address reports: %v", err)
	}
	from.dropped("unlatched", 1)
	listener.say(someAudio(ticks))
	to.dropped("unlatched", 1)
	truly.control(truly.rtcp, report)
	from.dropped("unlatched", 2)

	truly.say(someAudio(ticks))
	from.dropped("probation", 1)
	truly.next.Sequence += 5
	truly.say(someAudio(ticks))
	from.dropped("probation", 2)
	strange := truly.next
	strange.Type = 13
	truly.send(strange.Append(nil))
	from.dropped("type", 1)
	b.heardFirst(truly, listener)

	answer := listener.say(someAudio(ticks))
	if heard := truly.hear(); !heard.sameContent(answer) {
		b.Errorf("said %x, heard %x", answer.bytes, heard.bytes)
	}
	said.say(someAudio(ticks))
	from.dropped("source", 1)
	b.silent(said.rtp)
	from.stats("what was accepted", func(s media.LegStats) bool {
		return s.RxPackets == 1 && s.RTCP == 0 && time.Since(s.RxAt).Abs() < patience
	})
}

// Reports follow to where the far end was learned to be.
func reportsFollowTheLatch(b *bench) {
	from, _, said, truly, listener := b.latching(time.Hour)
	b.learns(truly, listener)
	b.must(from.SendRTCP(report))
	if got, _ := truly.read(truly.rtcp); !bytes.Equal(got, report) {
		b.Errorf("received %x", got)
	}
	b.silent(said.rtcp)
	truly.control(truly.rtcp, report)
	from.received(from.control)
	truly.control(truly.rtp, report)
	from.received(from.control)
	said.control(said.rtcp, report)
	from.dropped("source", 1)
	from.nothing(from.control)
	_, err := from.Close(func(media.LegStats) { b.must(from.SendRTCP(report)) })
	b.must(err)
	if got, _ := truly.read(truly.rtcp); !bytes.Equal(got, report) {
		b.Errorf("the last is %x", got)
	}
}

// A new offer or answer opens the window again, the same one does not.
func latchesAnew(b *bench) {
	from, _, said, truly, listener := b.latching(time.Hour)
	agreed := said.agreed(audioType)
	agreed.Latch, agreed.LatchFrom = time.Hour, addrOf(truly.rtp).Addr()
	b.learns(truly, listener)
	b.must(from.Connect(agreed))
	b.heardFirst(truly, listener)
	agreed.RTP = addrOf(b.listen(b.A))
	b.must(from.Connect(agreed))
	if err := from.Send(media.Payload{Samples: ticks}); !errors.Is(err, media.ErrUnlatched) {
		b.Errorf("after a new offer: %v", err)
	}
	b.learns(truly, listener)
}

// Who was not heard in the window is where signalling said, and only there.
func latchingWindowCloses(b *bench) {
	from, _, said, truly, listener := b.latching(time.Millisecond)
	prompt := media.Payload{PayloadType: audioType, Samples: ticks, Data: someAudio(ticks)}
	b.eventually("the window closes", func() bool { return from.Send(prompt) == nil })
	said.hear()
	truly.say(someAudio(ticks))
	truly.say(someAudio(ticks))
	from.dropped("source", 2)
	b.heardFirst(said, listener)
	b.silent(truly.rtp)
}

// While a source is alive no other one is heard, even from its address and port.
func locksTheSource(b *bench) {
	from, _, speaker, listener := b.joined()
	forged := speaker.next
	forged.SSRC++
	b.eventually("a forged source is refused", func() bool {
		b.heardFirst(speaker, listener)
		speaker.send(append(forged.Append(nil), someAudio(ticks)...))
		s, err := from.Stats()
		b.must(err)
		return s.Dropped["ssrc"] > 0
	})
	speaker.next.SSRC += 2 // and now truly, after its silence
	speaker.sayUntil(listener)
	from.stats("the new source was on probation", func(s media.LegStats) bool {
		return s.Dropped["probation"] > 0 && s.Source.SSRC == speaker.next.SSRC
	})
	moved := b.farEnd(b.A)
	moved.leg = from
	b.must(from.Connect(moved.agreed(audioType)))
	said := moved.say(someAudio(ticks)) // it was signalled: nothing to prove
	b.eventually("the new far end is heard", func() bool { return listener.hear().sameContent(said) })
}

// A second's worth of packets may come at once; beyond it the ceiling holds.
func keepsTheCeiling(b *bench) {
	from, speaker := b.connected(b.A, audioType)
	attacker := b.elsewhere(b.A)
	attacker.leg = from
	const ceiling, sent, batch = 200, 600, 20
	start := time.Now()
	for i := 1; i <= sent; i++ {
		attacker.say(nil)
		speaker.say(nil)
		if i%batch == 0 {
			from.stats("all judged", func(s media.LegStats) bool {
				return s.RxPackets+s.Dropped["rate"] == uint64(i) && s.Dropped["source"] == uint64(i)
			})
		}
	}
	most := uint64(ceiling + time.Since(start).Seconds()*ceiling + 2)
	from.stats("the ceiling", func(s media.LegStats) bool { return s.RxPackets >= ceiling && s.RxPackets <= most })
}

// Reports have a ceiling of their own.
func keepsTheCeilingOfReports(b *bench) {
	from, speaker := b.connected(b.A, audioType)
	const ceiling, sent, batch = 20, 100, 10
	start := time.Now()
	for i := 1; i <= sent; i++ {
		speaker.control(speaker.rtcp, report)
		if i%batch == 0 {
			from.stats("all judged", func(s media.LegStats) bool { return s.RTCP+s.Dropped["rate"] == uint64(i) })
		}
	}
	most := uint64(ceiling + time.Since(start).Seconds()*ceiling + 2)
	from.stats("the ceiling", func(s media.LegStats) bool { return s.RTCP >= ceiling && s.RTCP <= most })
	speaker.say(nil)
	from.stats("RTP passes", func(s media.LegStats) bool { return s.RxPackets == 1 })
}

// A third host sprays both ports of a call with packets that fit its stream, and
// those of a leg that is still to learn its far end. Nothing comes of it.
func refusesAThirdHost(b *bench) {
	from, to, speaker, listener := b.joined()
	b.must(to.Route(media.Route{To: from.PlaneLeg}))
	b.heardFirst(speaker, listener)
	attacker := b.elsewhere(b.A)
	attacker.next = speaker.next
	attacker.spray(from)
	from.dropped("source", 2*sprayed)
	b.heardFirst(speaker, listener)
	b.heardFirst(listener, speaker)
	from.nothing(from.control)
	from.nothing(from.audio)
	from.stats("only the far end's", func(s media.LegStats) bool { return s.RxPackets == 2 && s.RTCP == 0 && s.RxLost == 0 })
	if b.A.Other.IsValid() {
		b.refusesAThirdHostUnlatched(attacker)
	}
	b.silent(attacker.rtp)
	b.silent(attacker.rtcp)
}

func (b *bench) refusesAThirdHostUnlatched(attacker *farEnd) {
	b.Helper()
	unlatched, said := b.open(b.A), b.farEnd(b.A)
	agreed := said.agreed(audioType)
	agreed.Latch = time.Hour
	b.must(unlatched.Connect(agreed))
	attacker.spray(unlatched)
	unlatched.dropped("source", sprayed)
	unlatched.dropped("unlatched", sprayed)
	if err := unlatched.Send(media.Payload{Samples: ticks}); !errors.Is(err, media.ErrUnlatched) {
		b.Errorf("the leg sends: %v", err)
	}
}

const sprayed = 50

// spray sends RTP and RTCP to a leg's ports.
func (f *farEnd) spray(at *leg) {
	f.bench.Helper()
	f.leg = at
	for range sprayed {
		f.say(someAudio(ticks))
		f.control(f.rtcp, report)
	}
}

func sharesOnePort(b *bench) {
	from, speaker := b.connected(b.A, audioType)
	agreed := speaker.agreed(audioType)
	agreed.RTCP = agreed.RTP
	b.must(from.Connect(agreed))
	b.must(from.SendRTCP(report))
	if got, at := speaker.read(speaker.rtp); !bytes.Equal(got, report) || at != from.local {
		b.Errorf("received %x from %s", got, at)
	}
	speaker.control(speaker.rtcp, report)
	from.dropped("source", 1)
	speaker.send(report)
	from.received(from.control)
}

func refusesTheOtherIPVersion(b *bench) {
	from, speaker := b.connected(b.A, audioType)
	agreed := speaker.agreed(audioType)
	other := netip.MustParseAddrPort("192.0.2.1:4000")
	if b.A.Local.Is4() {
		other = netip.MustParseAddrPort("[2001:db8::1]:4000")
	}
	agreed.RTP, agreed.RTCP = other, other
	if from.Connect(agreed) == nil {
		b.Errorf("a leg at %s takes %s for its far end", b.A.Local, other)
	}
}
