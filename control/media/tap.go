package media

import (
	"slices"
	"time"

	"mcp/control/media/codec"
)

// Heard is a packet of audio that arrived at a leg, in the order of arrival:
// late, repeated and overtaken ones among them.
type Heard struct {
	Codec     codec.Codec
	SSRC      uint32
	Timestamp uint32
	Sequence  uint16
	Marker    bool
	Payload   []byte
	At        time.Time // when the plane received it
}

// Listener is who listens to a leg's audio.
type Listener interface {
	// Audio takes a packet. It is called from one goroutine of the plane at a
	// time, must not block, does not keep the payload, and does not close its Tap.
	Audio(Heard)
}

// ListenerFunc is a function that is a Listener.
type ListenerFunc func(Heard)

// Audio implements Listener.
func (f ListenerFunc) Audio(h Heard) { f(h) }

// Tap is a listener at a leg. While there is one, the plane copies the leg's
// audio to userspace, and goes on relaying it.
type Tap struct {
	leg *Leg
	to  Listener
}

// Tap begins to hand a leg's audio to a listener, until the Tap or the leg is closed.
func (l *Leg) Tap(to Listener) (*Tap, error) {
	t := &Tap{l, to}
	if err := l.session.tap(l, func(taps []*Tap) []*Tap { return append(taps, t) }); err != nil {
		return nil, err
	}
	return t, nil
}

// Close ends it: when it returns the listener is not called again.
func (t *Tap) Close() error {
	err := t.leg.session.tap(t.leg, func(taps []*Tap) []*Tap {
		return slices.DeleteFunc(taps, func(o *Tap) bool { return o == t })
	})
	t.leg.receiving.Lock() // whoever is being called has returned by then
	t.leg.receiving.Unlock()
	if err == ErrClosed {
		return nil
	}
	return err
}

// tap changes who listens to a leg.
func (s *Session) tap(l *Leg, change func([]*Tap) []*Tap) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	taps := change(slices.Clone(l.listeners()))
	if len(taps) > len(l.listeners()) && (s.over || s.legs[l.name] != l) {
		return ErrClosed
	}
	l.taps.Store(&taps)
	return s.applyLocked()
}

func (l *Leg) listeners() []*Tap {
	if taps := l.taps.Load(); taps != nil {
		return *taps
	}
	return nil
}

// overhear hands a packet to who listens.
func (l *Leg) overhear(s *legState, payload []byte, at time.Time) {
	taps := l.listeners()
	if len(taps) == 0 {
		return
	}
	h := Heard{
		Codec: s.codec, SSRC: l.header.SSRC, Timestamp: l.header.Timestamp, Sequence: l.header.SequenceNumber,
		Marker: l.header.Marker, Payload: payload, At: at,
	}
	for _, t := range taps {
		t.to.Audio(h)
	}
}
