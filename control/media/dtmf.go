package media

import (
	"time"
)

// Digit is one DTMF key press.
type Digit struct {
	Key byte // 0-9, *, #, A-D
	At  time.Time
}

const dtmfKeys = "0123456789*#ABCD"

// eventSize is the length of an event's payload (RFC 4733 section 2.3).
const eventSize = 4

// longest is the duration at which a sender starts a new segment of an event
// that is still going on (RFC 4733 section 2.5.1.3).
const longest = 0xffff

// digitDetector turns telephone-event packets into digits: one for each event,
// however many of its packets are lost, repeated or late. All packets of an
// event share a timestamp, which tells events apart; the digit counts from the
// first packet that arrives, so that it interrupts a prompt at once.
type digitDetector struct {
	seen     bool
	last     uint32 // timestamp of the latest event
	event    byte
	duration uint16
}

// packet takes one packet's timestamp and payload, and tells the key of an
// event that it begins.
func (d *digitDetector) packet(timestamp uint32, payload []byte) (key byte, begins bool) {
	if len(payload) < eventSize || int(payload[0]) >= len(dtmfKeys) {
		return 0, false
	}
	event, duration := payload[0], uint16(payload[2])<<8|uint16(payload[3])
	ahead := int32(timestamp - d.last)
	switch {
	case d.seen && ahead < 0: // of an event before the latest
		return 0, false
	case d.seen && ahead == 0:
		d.duration = max(d.duration, duration)
		return 0, false
	}
	segment := d.seen && event == d.event && d.duration == longest && ahead == longest
	d.seen, d.last, d.event, d.duration = true, timestamp, event, duration
	return dtmfKeys[event], !segment
}
