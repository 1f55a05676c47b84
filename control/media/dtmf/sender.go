package dtmf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"
)

// ErrKey says that there is no such key.
var ErrKey = errors.New("not a DTMF key")

// How keys are pressed: long enough for every receiver and as fast as most
// gateways take them (ITU-T Q.24 asks for 40 ms and 40 ms).
const (
	tone     = 100 * time.Millisecond
	pause    = 100 * time.Millisecond // includes the repeated end packets
	repeated = 3                      // times that an event's end is told, RFC 4733 section 2.5.1.4
	volume   = 10                     // -10 dBm0
)

// Sequence is a row of key presses as packets, one to a frame of time.
type Sequence struct {
	events []byte
	span   time.Duration
	ticks  uint16 // of a frame
	sound  int    // frames of a key that is held
	frames int    // frames from one key to the next
	buf    [eventLength]byte
}

// NewSequence makes the packets of keys, for frames of a length and a clock rate.
func NewSequence(keys string, span time.Duration, rate int) (*Sequence, error) {
	s := &Sequence{span: span, ticks: uint16(int64(span) * int64(rate) / int64(time.Second))}
	for _, key := range strings.ToUpper(keys) {
		event := strings.IndexRune(Keys, key)
		if event < 0 {
			return nil, fmt.Errorf("%w: %q", ErrKey, key)
		}
		s.events = append(s.events, byte(event))
	}
	s.sound = framesIn(tone, span)
	s.frames = s.sound + max(repeated-1, framesIn(pause, span))
	return s, nil
}

func framesIn(d, span time.Duration) int { return int((d + span - 1) / span) }

// Frames is how many frames the sequence lasts.
func (s *Sequence) Frames() int { return len(s.events) * s.frames }

// Packet is what is sent in a frame.
type Packet struct {
	First bool   // of an event: it has the marker
	Ticks uint32 // by which the timeline advances after it; the packets of an event share a timestamp
	Data  []byte // valid until the next call
}

// Packet tells what is sent in the n-th frame; nothing in the pause between keys.
func (s *Sequence) Packet(n int) (Packet, bool) {
	at := n % s.frames
	if at >= s.sound+repeated-1 {
		return Packet{}, false
	}
	p := Packet{First: at == 0, Data: s.buf[:]}
	held := min(at+1, s.sound)
	s.buf[0], s.buf[1] = s.events[n/s.frames], volume
	if held == s.sound {
		s.buf[1] |= endBit
	}
	if at == s.sound+repeated-2 { // the event's last: the next begins after the pause
		p.Ticks = uint32(s.frames) * uint32(s.ticks)
	}
	binary.BigEndian.PutUint16(s.buf[2:], uint16(held)*s.ticks)
	return p, true
}
