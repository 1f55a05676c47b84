package planetest

import (
	"bytes"
	"slices"
	"sync"

	"mcp/control/media"
	"mcp/control/media/rtpstream"
)

func relaysBothWays(b *bench) {
	from, to, speaker, listener := b.joined()
	b.must(to.Route(media.Route{To: from.PlaneLeg}))
	const packets = 50
	for i := range packets {
		for _, way := range []struct {
			mouth, ear *farEnd
			audio      uint8
		}{{speaker, listener, otherType}, {listener, speaker, audioType}} {
			said := way.mouth.say(someAudio(1 + 7*i))
			heard := way.ear.hear()
			if !heard.sameContent(said) || heard.header().Type != way.audio {
				b.Fatalf("said %x, heard %x", said.bytes, heard.bytes)
			}
		}
	}
	for _, l := range []*leg{from, to} {
		l.stats("all counted", func(s media.LegStats) bool { return s.RxPackets == packets && s.TxPackets == packets })
		l.nothing(l.audio)
		if s, _ := l.Stats(); s.RxBytes != s.TxBytes || s.RxLost != 0 || len(s.Dropped) != 0 {
			b.Errorf("%+v", s)
		}
	}
}

// Contributing sources, extensions and padding belong to the payload's owner.
func keepsWhatIsNotTheStamp(b *bench) {
	_, _, speaker, listener := b.joined()
	for _, first := range []byte{0x80, 0x82, 0x90, 0xa0, 0xb3} {
		p := append(speaker.next.Append(nil), someAudio(12)...)
		p = append(p, 0xbe, 0xde, 0, 1, 1, 2, 3, 4)
		p = append(p, someAudio(156)...)
		p = append(p, 0, 0, 0, 4)
		p[0] = first
		speaker.next.Sequence++
		speaker.next.Timestamp += ticks
		speaker.send(p)
		if heard := listener.hear(); !heard.sameContent(packet{p}) {
			b.Errorf("said %x, heard %x", p, heard.bytes)
		}
	}
}

func keepsTheShapeOfOneSource(b *bench) {
	_, _, speaker, listener := b.joined()
	speaker.next.Sequence, speaker.next.Timestamp = 65530, 0xfffffff0
	begin := speaker.next
	speaker.say(someAudio(ticks))
	base := listener.hear().header()
	if !base.Marker {
		b.Error("the first packet has no marker")
	}
	// Lost, late, repeated, silent for a while, marked; in frames and ticks.
	for _, step := range []struct {
		seq    uint16
		ts     uint32
		marker bool
	}{{1, 160, false}, {2, 320, false}, {5, 800, false}, {4, 640, false}, {4, 640, false}, {6, 960, false}, {7, 40000, true}, {8, 40160, false}} {
		h := begin
		h.Sequence, h.Timestamp, h.Marker = begin.Sequence+step.seq, begin.Timestamp+step.ts, step.marker
		speaker.send(h.Append(nil))
		got := listener.hear().header()
		if got.Sequence-base.Sequence != step.seq || got.Timestamp-base.Timestamp != step.ts || got.Marker != step.marker {
			b.Errorf("step %+v left as %+v, the stream began %+v", step, got, base)
		}
	}
}

// heardAfter checks that a stream goes on and returns where it is.
func (b *bench) heardAfter(last, next rtpstream.Header, changed bool) rtpstream.Header {
	b.Helper()
	if next.Sequence != last.Sequence+1 {
		b.Errorf("sequence %d follows %d", next.Sequence, last.Sequence)
	}
	if step := int32(next.Timestamp - last.Timestamp); step < ticks || step > int32(patience.Seconds())*rate {
		b.Errorf("timestamp steps by %d", step)
	}
	if next.Marker != changed {
		b.Errorf("marker is %t, change is %t", next.Marker, changed)
	}
	return next
}

func sendContinuesTheStream(b *bench) {
	_, to, speaker, listener := b.joined()
	speaker.say(someAudio(ticks))
	last := listener.hear().header()
	for range 5 {
		prompt := someAudio(ticks)
		for i := range 3 {
			b.must(to.Send(media.Payload{PayloadType: otherType, Samples: ticks, Data: prompt}))
			heard := listener.hear()
			last = b.heardAfter(last, heard.header(), i == 0)
			if !bytes.Equal(heard.payload(), prompt) || heard.header().Type != otherType {
				b.Errorf("sent %x, heard %x", prompt, heard.bytes)
			}
		}
		for i := range 3 {
			speaker.say(someAudio(ticks))
			last = b.heardAfter(last, listener.hear().header(), i == 0)
		}
	}
	to.stats("all counted", func(s media.LegStats) bool { return s.TxPackets == 31 })
}

func sourcesFollowEachOther(b *bench) {
	from, to, first, listener := b.joined()
	other, second := b.connected(b.B, audioType)
	first.say(someAudio(ticks))
	late := first.next
	first.next.Sequence++
	first.next.Timestamp += ticks
	first.say(someAudio(ticks))
	listener.hear()
	last := listener.hear().header()
	b.must(from.Route(media.Route{}))
	b.must(other.Route(media.Route{To: to.PlaneLeg}))
	second.say(someAudio(ticks))
	last = b.heardAfter(last, listener.hear().header(), true)
	b.must(from.Route(media.Route{To: to.PlaneLeg}))
	first.send(late.Append(nil))
	from.dropped("late", 1)
	second.say(someAudio(ticks))
	last = b.heardAfter(last, listener.hear().header(), false)
	// The source starts over, with numbers of its own and then in another SSRC.
	second.next.Sequence += 20000
	second.say(someAudio(ticks))
	last = b.heardAfter(last, listener.hear().header(), true)
	second.next.SSRC++
	second.next.Timestamp -= 1 << 30
	b.heardAfter(last, second.sayUntil(listener).header(), true)
}

// What a source says while it is routed nowhere is not missing when it is back.
func sourcesReturn(b *bench) {
	from, to, speaker, listener := b.joined()
	speaker.say(someAudio(ticks))
	last := listener.hear().header()
	b.must(from.Route(media.Route{}))
	for range 3 {
		speaker.say(someAudio(ticks))
	}
	from.stats("all received", func(s media.LegStats) bool { return s.RxPackets == 4 })
	b.must(from.Route(media.Route{To: to.PlaneLeg}))
	speaker.say(someAudio(ticks))
	last = b.heardAfter(last, listener.hear().header(), true)
	b.must(from.Route(media.Route{To: to.PlaneLeg, Copy: true})) // it was not away
	speaker.say(someAudio(ticks))
	b.heardAfter(last, listener.hear().header(), false)
}

// Keys that are not relayed, and comfort noise that was not agreed on, are not missing in
// the stream that they stay behind.
func whatStaysBehindIsNotLost(b *bench) {
	from, _, speaker, listener := b.joined()
	takes := speaker.agreed(audioType)
	takes.Noise = noiseType
	b.must(from.Connect(takes))
	say := func(kind uint8, lasts uint32, payload ...byte) {
		h := speaker.next
		h.Type = kind
		speaker.send(append(h.Append(nil), payload...))
		speaker.next.Sequence++
		speaker.next.Timestamp += lasts
	}
	say(audioType, ticks, someAudio(ticks)...)
	last := listener.hear().header()
	goesOn := func(what string, after uint16, span uint32) {
		b.Helper()
		h := listener.hear().header()
		if h.Sequence != last.Sequence+after || h.Timestamp != last.Timestamp+span || h.Marker {
			b.Errorf("%s: %+v follows %+v", what, h, last)
		}
		last = h
	}
	say(eventType, 0, 5, 10, 0, 160)
	say(eventType, 0, 5, 10, 1, 64)
	say(eventType, 3*ticks, 5, 0x8a, 1, 224)
	say(audioType, ticks, someAudio(ticks)...)
	goesOn("after a key", 1, 4*ticks)
	say(noiseType, 50*ticks, 60)
	from.dropped("type", 1)
	say(audioType, ticks, someAudio(ticks)...)
	goesOn("after noise", 1, 51*ticks)
	speaker.next.Sequence++ // one gets lost
	speaker.next.Timestamp += ticks
	say(eventType, 0, 6, 0x8a, 0, 160)
	speaker.next.Sequence-- // comes twice
	say(eventType, 3*ticks, 6, 0x8a, 0, 160)
	say(audioType, ticks, someAudio(ticks)...)
	goesOn("after a loss and a key", 2, 5*ticks)
	speaker.next.Sequence -= 3
	speaker.next.Timestamp -= 5 * ticks
	say(audioType, ticks, someAudio(ticks)...)
	from.dropped("late", 1)
}

// What is relayed and what is sent at the same time take turns in one stream.
// On the wire two of them may change places.
func sourcesShareTheStream(b *bench) {
	_, to, speaker, listener := b.joined()
	const each = 50 // as many as a socket keeps until they are read
	var sending sync.WaitGroup
	sending.Go(func() {
		for range each {
			if err := to.Send(media.Payload{PayloadType: otherType, Samples: ticks, Data: someAudio(ticks)}); err != nil {
				b.Error(err)
			}
		}
	})
	for range each {
		speaker.say(someAudio(ticks))
	}
	defer sending.Wait()
	heard := make([]rtpstream.Header, 2*each)
	for i := range heard {
		heard[i] = listener.hear().header()
	}
	slices.SortFunc(heard, func(p, q rtpstream.Header) int { return int(int16(p.Sequence - q.Sequence)) })
	for i, h := range heard[1:] {
		before := heard[i]
		if h.Sequence != before.Sequence+1 || int32(h.Timestamp-before.Timestamp) < ticks {
			b.Fatalf("%+v follows %+v", h, before)
		}
	}
}

func copiesAndRelays(b *bench) {
	from, to, speaker, listener := b.joined()
	b.must(from.Route(media.Route{To: to.PlaneLeg, Copy: true}))
	said := speaker.say(someAudio(ticks))
	if got := from.received(from.audio); !bytes.Equal(got, said.bytes) {
		b.Errorf("said %x, copied %x", said.bytes, got)
	}
	if heard := listener.hear(); !heard.sameContent(said) {
		b.Errorf("said %x, heard %x", said.bytes, heard.bytes)
	}
	b.must(from.Route(media.Route{Copy: true}))
	said = speaker.say(someAudio(ticks))
	if got := from.received(from.audio); !bytes.Equal(got, said.bytes) {
		b.Errorf("said %x, copied %x", said.bytes, got)
	}
	b.must(from.Route(media.Route{To: to.PlaneLeg}))
	said = speaker.say(someAudio(ticks))
	if heard := listener.hear(); !heard.sameContent(said) {
		b.Errorf("what was only copied was relayed: %x", heard.bytes)
	}
	from.nothing(from.audio)
	from.stats("all counted", func(s media.LegStats) bool { return s.RxPackets == 3 && s.RxUser >= 2 })
}
