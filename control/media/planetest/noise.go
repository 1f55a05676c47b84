package planetest

import (
	"bytes"
	"time"

	"mcp/control/media"
)

// Payload types of comfort noise, of the speaker and of the listener.
const (
	noiseType      = 13
	otherNoiseType = 98
)

// hush has a far end send comfort noise.
func (f *farEnd) hush(description ...byte) packet {
	f.bench.Helper()
	h := f.next
	h.Type = noiseType
	f.next.Sequence++
	f.next.Timestamp += 50 * ticks
	p := append(h.Append(nil), description...)
	f.send(p)
	return packet{p}
}

// Comfort noise goes where the audio goes, as the payload type that was agreed there,
// and nowhere else.
func relaysNoise(b *bench) {
	from, to, speaker, listener := b.joined()
	takes, heard := speaker.agreed(audioType), listener.agreed(otherType)
	takes.Noise, heard.Noise = noiseType, otherNoiseType
	b.must(from.Connect(takes))
	b.must(to.Connect(heard))
	b.must(from.Route(media.Route{To: to.PlaneLeg, Copy: true}))
	speaker.say(someAudio(ticks))
	last := listener.hear().header()
	from.received(from.audio)
	said := speaker.hush(60, 100, 130)
	got := listener.hear()
	if h := got.header(); !got.sameContent(said) || h.Type != otherNoiseType || h.Sequence != last.Sequence+1 || h.Timestamp != last.Timestamp+ticks {
		b.Errorf("said %x, heard %x after %+v", said.bytes, got.bytes, last)
	}
	if copied := from.received(from.audio); !bytes.Equal(copied, said.bytes) {
		b.Errorf("said %x, received %x", said.bytes, copied)
	}
	b.must(to.Send(media.Payload{PayloadType: otherType, Samples: ticks, Data: someAudio(ticks)}))
	listener.hear()
	speaker.hush(60)
	if h := listener.hear().header(); h.Type != otherNoiseType || h.Marker { // RFC 3389 section 4
		b.Errorf("noise of another source left as %+v", h)
	}
	from.received(from.audio)
	speaker.say(someAudio(ticks))
	last = listener.hear().header()
	from.received(from.audio)
	speaker.hush(60)
	listener.hear()
	from.received(from.audio)
	speaker.say(someAudio(ticks))
	if h := listener.hear().header(); h.Type != otherType || h.Sequence != last.Sequence+2 || h.Timestamp != last.Timestamp+51*ticks {
		b.Errorf("after the noise %+v, before it %+v", h, last)
	}
	heard.Noise = 0
	b.must(to.Connect(heard))
	speaker.hush(60)
	from.dropped("type", 1)
	takes.Noise = 0
	b.must(from.Connect(takes))
	speaker.hush(60)
	from.dropped("type", 2)
}

// Comfort noise of userspace has the timestamp of its moment and no marker; what
// follows it has the next number.
func sendsNoiseByTheClock(b *bench) {
	to, listener := b.connected(b.A, audioType)
	agreed := listener.agreed(audioType)
	agreed.Noise = noiseType
	b.must(to.Connect(agreed))
	b.must(to.Send(media.Payload{PayloadType: audioType, Samples: ticks, Data: someAudio(ticks)}))
	last := listener.hear().header()
	began := time.Now()
	for range 3 {
		b.must(to.Send(media.Payload{PayloadType: noiseType, Marker: true, Data: []byte{60}}))
		h := listener.hear().header()
		if step := h.Timestamp - last.Timestamp; h.Type != noiseType || h.Marker || h.Sequence != last.Sequence+1 ||
			last.Type == audioType && step < ticks || step > ticks+uint32(time.Since(began).Seconds()*rate)+1 {
			b.Errorf("noise left as %+v after %+v", h, last)
		}
		last = h
	}
	b.must(to.Send(media.Payload{PayloadType: audioType, Marker: true, Samples: ticks, Data: someAudio(ticks)}))
	if h := listener.hear().header(); !h.Marker || h.Type != audioType || h.Sequence != last.Sequence+1 {
		b.Errorf("audio left as %+v after %+v", h, last)
	}
}
