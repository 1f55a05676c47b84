package planetest

import (
	"bytes"
	"net"
	"time"

	"mcp/control/media"
	"mcp/control/media/rtpstream"
)

// heardFirst sends a packet that is relayed and checks that it is the first to
// be heard: nothing that was sent before it came through.
func (b *bench) heardFirst(speaker, listener *farEnd) {
	b.Helper()
	said := speaker.say(someAudio(ticks))
	if heard := listener.hear(); !heard.sameContent(said) {
		b.Errorf("heard %x, want %x", heard.bytes, said.bytes)
	}
}

func refusesOtherSources(b *bench) {
	from, _, speaker, listener := b.joined()
	b.heardFirst(speaker, listener)
	injected := append(speaker.next.Append(nil), someAudio(ticks)...)
	// Another host, and another port of the right host.
	for _, conn := range []net.PacketConn{b.listen(b.B), speaker.rtcp} {
		speaker.from(conn, injected, from.local)
	}
	from.dropped("source", 2)
	speaker.control(b.listen(b.A), report)
	from.dropped("source", 3)
	b.heardFirst(speaker, listener)
	from.nothing(from.control)
	from.nothing(from.audio)
	from.stats("only the far end's", func(s media.LegStats) bool { return s.RxPackets == 2 && s.RTCP == 0 && s.RxLost == 0 })
}

func refusesWhatIsNotAudio(b *bench) {
	from, _, speaker, listener := b.joined()
	stun := append([]byte{0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42}, make([]byte, 12)...)
	for i, p := range [][]byte{stun, {22, 0xfe, 0xfd}, {0x80}, {0x8f, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1}, {}} {
		if len(p) == 0 {
			continue // the kernels of some machines do not deliver what is empty
		}
		speaker.send(p)
		from.dropped("not_rtp", uint64(i+1))
	}
	strange := speaker.next
	strange.Type = 13
	strange.Sequence--
	speaker.send(strange.Append(nil))
	from.dropped("type", 1)
	b.heardFirst(speaker, listener)
	from.nothing(from.audio)
	from.nothing(from.control)
}

func mutedUntilConnected(b *bench) {
	from, to := b.open(b.A), b.open(b.B)
	speaker, listener := b.farEnd(b.A), b.farEnd(b.B)
	speaker.leg, listener.leg = from, to
	b.must(from.Route(media.Route{To: to.PlaneLeg}))
	speaker.say(someAudio(ticks))
	from.dropped("muted", 1)
	speaker.control(speaker.rtcp, report)
	from.dropped("muted", 2)
	if from.Send(media.Payload{Samples: ticks, Data: someAudio(ticks)}) == nil || from.SendRTCP(report) == nil {
		b.Error("a leg without a far end sends")
	}
	from.dropped("muted", 3)
	if err := from.Connect(media.FarEnd{RTP: addrOf(speaker.rtp)}); err == nil {
		b.Error("a far end without a clock rate is taken")
	}
	b.must(from.Connect(speaker.agreed(audioType)))
	speaker.say(someAudio(ticks))
	from.dropped("muted", 4) // of the leg that it would leave by
	b.must(to.Connect(listener.agreed(otherType)))
	b.heardFirst(speaker, listener)
	b.must(from.Connect(media.FarEnd{}))
	speaker.say(someAudio(ticks))
	from.dropped("muted", 5)
}

func eventsGoToTheReceiver(b *bench) {
	from, _, speaker, listener := b.joined()
	for key := range byte(3) {
		event := speaker.next
		event.Type = eventType
		p := append(event.Append(nil), key, 0x8a, 0, 160)
		speaker.send(p)
		if got := from.received(from.audio); !bytes.Equal(got, p) {
			b.Errorf("sent %x, received %x", p, got)
		}
		speaker.next.Sequence++
	}
	b.heardFirst(speaker, listener)
	from.nothing(from.audio)
	from.stats("events counted", func(s media.LegStats) bool { return s.RxPackets == 4 && s.RxUser >= 3 && s.RxLost == 0 })
	agreed := speaker.agreed(audioType)
	agreed.Events = -1
	b.must(from.Connect(agreed))
	event := speaker.next
	event.Type = eventType
	speaker.send(append(event.Append(nil), 5, 0x8a, 0, 160))
	from.dropped("type", 1)
	from.nothing(from.audio)
}

// report is an empty receiver report (RFC 3550 section 6.4.2).
var report = []byte{0x80, 201, 0, 1, 0, 0, 0, 7}

func controlGoesToTheReceiver(b *bench) {
	from, to, speaker, listener := b.joined()
	speaker.control(speaker.rtcp, report)
	if got := from.received(from.control); !bytes.Equal(got, report) {
		b.Errorf("received %x", got)
	}
	speaker.send(report) // RTP and RTCP on one port (RFC 5761)
	if got := from.received(from.control); !bytes.Equal(got, report) {
		b.Errorf("received %x", got)
	}
	speaker.control(speaker.rtp, speaker.next.Append(nil))
	from.dropped("not_rtp", 1)
	b.must(to.SendRTCP(report))
	got, at := listener.read(listener.rtcp)
	if !bytes.Equal(got, report) || at.Addr() != to.local.Addr() || at.Port() != to.local.Port()+1 {
		b.Errorf("far end received %x from %s", got, at)
	}
	b.heardFirst(speaker, listener)
	from.stats("counted", func(s media.LegStats) bool { return s.RTCP == 2 && s.RxPackets == 1 })
}

func holds(b *bench) {
	from, to, speaker, listener := b.joined()
	speaker.say(someAudio(ticks))
	last := listener.hear().header()

	held := listener.agreed(otherType)
	held.Send = false
	b.must(to.Connect(held))
	speaker.say(someAudio(ticks))
	from.dropped("held", 1)
	if to.Send(media.Payload{PayloadType: otherType, Samples: ticks, Data: someAudio(ticks)}) == nil {
		b.Error("a leg on hold sends")
	}
	to.dropped("held", 1)
	b.must(to.SendRTCP(report)) // hold does not stop RTCP
	listener.read(listener.rtcp)

	b.must(to.Connect(listener.agreed(otherType)))
	speaker.say(someAudio(ticks))
	last = b.heardAfter(last, listener.hear().header(), true) // nothing is missing
	deaf := speaker.agreed(audioType)
	deaf.Receive = false
	b.must(from.Connect(deaf))
	speaker.say(someAudio(ticks))
	from.dropped("held", 2)
	speaker.control(speaker.rtcp, report)
	from.received(from.control)

	b.must(from.Connect(speaker.agreed(audioType)))
	speaker.say(someAudio(ticks))
	b.heardAfter(last, listener.hear().header(), true)
}

// Time goes by on hold for what the platform itself says, too.
func holdsWhatIsSent(b *bench) {
	to, listener := b.connected(b.A, audioType)
	say := func() rtpstream.Header {
		b.must(to.Send(media.Payload{PayloadType: audioType, Samples: ticks, Data: someAudio(ticks)}))
		return listener.hear().header()
	}
	say()
	last := b.heardAfter(say(), say(), false)
	held := listener.agreed(audioType)
	held.Send = false
	b.must(to.Connect(held))
	began := time.Now()
	b.eventually("the hold has lasted", func() bool { return time.Since(began) > 5*ptime })
	b.must(to.Connect(listener.agreed(audioType)))
	if next := b.heardAfter(last, say(), true); next.Timestamp-last.Timestamp < 5*ticks {
		b.Errorf("after a hold of %s comes %+v, before it %+v", time.Since(began), next, last)
	}
}

func followsTheFarEnd(b *bench) {
	from, to, speaker, listener := b.joined()
	speaker.say(someAudio(ticks))
	last := listener.hear().header()
	moved := b.farEnd(b.B)
	moved.leg = to
	b.must(to.Connect(moved.agreed(audioType)))
	said := speaker.say(someAudio(ticks))
	heard := moved.hear()
	if heard.header().Sequence != last.Sequence+1 || heard.header().Type != audioType || !heard.sameContent(said) {
		b.Errorf("the stream does not go on: %+v after %+v", heard.header(), last)
	}
	listener.say(someAudio(ticks))
	to.dropped("source", 1)
	from.nothing(from.audio)
}
