// Package dtmf speaks telephone-event (RFC 4733): it makes key presses of
// packets, and packets of key presses. Those that come in an INFO it reads, too.
package dtmf

import "encoding/binary"

// Keys are the keys in the order of their event codes (RFC 4733 section 3.2).
const Keys = "0123456789*#ABCD"

// eventLength is that of an event's payload (RFC 4733 section 2.3).
const eventLength = 4

// endBit is in the octet of the volume.
const endBit = 0x80

// longest is the duration at which a sender starts a new segment of an event
// that is still going on (RFC 4733 section 2.5.1.3).
const longest = 0xffff

// late is how far back, in timestamp units, a packet may be of an event before
// the latest. What is further back is another timeline.
const late = 10 * 8000

// Detector turns packets into key presses: one for each event, however many of
// its packets are lost, repeated or overtaken. All packets of an event share a
// timestamp, which tells events apart. A press counts from the first packet that
// arrives, so that it interrupts a prompt at once; so nothing depends on the
// packets that tell its end.
type Detector struct {
	seen     bool
	ended    bool
	event    byte
	duration uint16
	ssrc     uint32
	last     uint32 // timestamp of the latest event
}

// Packet takes one packet's SSRC, timestamp and payload, and appends the keys
// that it tells to be pressed. A packet may hold several events, each beginning
// where the one before ended (RFC 4733 section 2.5.1.5).
func (d *Detector) Packet(keys []byte, ssrc, timestamp uint32, payload []byte) []byte {
	if ssrc != d.ssrc {
		*d = Detector{ssrc: ssrc}
	}
	for len(payload) >= eventLength {
		event, ended := payload[0], payload[1]&endBit != 0
		duration := binary.BigEndian.Uint16(payload[2:])
		if int(event) < len(Keys) && d.begins(event, timestamp, duration, ended) {
			keys = append(keys, Keys[event])
		}
		timestamp += uint32(duration)
		payload = payload[eventLength:]
	}
	return keys
}

func (d *Detector) begins(event byte, timestamp uint32, duration uint16, ended bool) bool {
	ahead := int32(timestamp - d.last)
	switch {
	case !d.seen || ahead < -late || ahead > 0:
	case ahead < 0:
		return false
	case event == d.event:
		d.duration, d.ended = max(d.duration, duration), d.ended || ended
		return false
	case !d.ended:
		return false
	}
	segment := d.seen && event == d.event && d.duration == longest && ahead == longest
	d.seen, d.last, d.event, d.duration, d.ended = true, timestamp, event, duration, ended
	return !segment
}
