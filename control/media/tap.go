package media

import (
	"slices"
	"sync"
	"sync/atomic"
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
	out bool // listens to what the leg's far end hears
}

// Tap begins to hand a leg's audio to a listener, until the Tap or the leg is closed.
func (l *Leg) Tap(to Listener) (*Tap, error) {
	return l.session.listen(&Tap{leg: l, to: to})
}

// Monitor begins to hand over what a leg's far end hears, whoever says it: legs
// that are relayed to it, clips, mixers. Prompts are sent one by one meanwhile.
func (l *Leg) Monitor(to Listener) (*Tap, error) {
	return l.session.listen(&Tap{leg: l, to: to, out: true})
}

// Overheard tells whether anybody listens at the leg, either way.
func (l *Leg) Overheard() bool { return len(l.taps.all()) > 0 || len(l.monitors.all()) > 0 }

// Close ends it: when it returns the listener is not called again.
func (t *Tap) Close() error {
	s := t.leg.session
	s.mu.Lock()
	place := t.place()
	place.put(slices.DeleteFunc(slices.Clone(place.all()), func(o *Tap) bool { return o == t }))
	err := s.applyLocked()
	s.mu.Unlock()
	s.resound(t.leg.name)
	place.calling.Lock() // whoever is being called has returned by then
	defer place.calling.Unlock()
	return err
}

// listen puts a tap in its place.
func (s *Session) listen(t *Tap) (*Tap, error) {
	s.mu.Lock()
	if s.over || s.legs[t.leg.name] != t.leg {
		s.mu.Unlock()
		return nil, ErrClosed
	}
	place := t.place()
	place.put(append(slices.Clone(place.all()), t))
	err := s.applyLocked()
	s.mu.Unlock()
	s.resound(t.leg.name)
	return t, err
}

func (t *Tap) place() *taps {
	if t.out {
		return &t.leg.monitors
	}
	return &t.leg.taps
}

// taps are those of one kind at a leg.
type taps struct {
	list    atomic.Pointer[[]*Tap]
	calling sync.Mutex // held while they are called; guards what follows
	sent    Heard      // of those monitored: the latest that the platform made itself
}

func (t *taps) put(all []*Tap) { t.list.Store(&all) }

func (t *taps) all() []*Tap {
	if all := t.list.Load(); all != nil {
		return *all
	}
	return nil
}

// tell hands a packet to all.
func (t *taps) tell(h Heard) {
	t.calling.Lock()
	defer t.calling.Unlock()
	for _, tap := range t.all() {
		tap.to.Audio(h)
	}
}

// said hands over what the platform itself has sent.
func (t *taps) said(agreed *legState, p Payload) {
	if len(t.all()) == 0 || agreed.far.Events >= 0 && int(p.PayloadType) == agreed.far.Events {
		return
	}
	t.calling.Lock()
	defer t.calling.Unlock()
	now := time.Now()
	if p.Marker && !t.sent.At.IsZero() {
		t.sent.Timestamp += uint32(max(0, now.Sub(t.sent.At)) * time.Duration(agreed.codec.ClockRate) / time.Second)
	}
	t.sent.Codec, t.sent.Payload, t.sent.Marker, t.sent.At = agreed.codec, p.Data, p.Marker, now
	t.sent.Sequence++
	for _, tap := range t.all() {
		tap.to.Audio(t.sent)
	}
	t.sent.Timestamp += p.Samples
	t.sent.Payload = nil
}

// overhear hands a packet to who listens.
func (l *Leg) overhear(s *legState, payload []byte, at time.Time) {
	relayed := l.relayed.Load()
	if relayed != nil && len(relayed.monitors.all()) == 0 {
		relayed = nil
	}
	if len(l.taps.all()) == 0 && relayed == nil {
		return
	}
	h := Heard{
		Codec: s.codec, SSRC: l.header.SSRC, Timestamp: l.header.Timestamp, Sequence: l.header.SequenceNumber,
		Marker: l.header.Marker, Payload: payload, At: at,
	}
	l.taps.tell(h)
	if relayed != nil {
		relayed.monitors.tell(h)
	}
}
