package media

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtp"

	"mcp/control/media/codec"
	"mcp/control/media/noise"
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

// Listener takes the audio of a leg.
type Listener interface {
	// Audio takes a packet. It is called from one goroutine of the plane at a
	// time, must not block, does not keep the payload, and does not close its Tap.
	Audio(Heard)
}

// ListenerFunc is a function that is a Listener.
type ListenerFunc func(Heard)

// Audio implements Listener.
func (f ListenerFunc) Audio(h Heard) { f(h) }

// Tap attaches a Listener to a leg. As long as it is open the plane also copies the
// leg's audio to userspace, besides relaying it.
type Tap struct {
	leg *Leg
	to  Listener
	out bool // listens to what the leg's far end hears
}

// Tap begins to hand a leg's audio to a listener, until the Tap or the leg is closed.
func (l *Leg) Tap(to Listener) (*Tap, error) {
	return l.session.listen(&Tap{leg: l, to: to})
}

// Monitor begins to hand over what a leg's far end hears, whatever the source: legs
// that are relayed to it, clips, mixers. Meanwhile the packets of prompts are sent from
// userspace, where they can be heard, and not played by the plane.
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
	s.resound(t.leg)
	place.calling.Lock() // whoever is being called has returned by then
	defer place.calling.Unlock()
	return err
}

// listen puts a tap in its place.
func (s *Session) listen(t *Tap) (*Tap, error) {
	s.mu.Lock()
	if !s.hasLocked(t.leg) {
		s.mu.Unlock()
		return nil, ErrClosed
	}
	place := t.place()
	place.put(append(slices.Clone(place.all()), t))
	err := s.applyLocked()
	s.mu.Unlock()
	s.resound(t.leg)
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
	sent    *Heard     // of those monitored: the latest that the platform made itself; nil: nothing yet
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
	if len(t.all()) == 0 || p.PayloadType != agreed.far.PayloadType {
		return
	}
	t.calling.Lock()
	defer t.calling.Unlock()
	now := time.Now()
	if t.sent == nil {
		t.sent = &Heard{At: now}
	}
	if p.Marker {
		t.sent.Timestamp += uint32(max(0, now.Sub(t.sent.At)) * time.Duration(agreed.codec.ClockRate) / time.Second)
	}
	t.sent.Codec, t.sent.Payload, t.sent.Marker, t.sent.At = agreed.codec, p.Data, p.Marker, now
	t.sent.Sequence++
	for _, tap := range t.all() {
		tap.to.Audio(*t.sent)
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

// hush stands in for a far end that sends nothing while nobody speaks there: from a
// packet of comfort noise (RFC 3389) until the next of audio, noise is that far end's
// audio for whoever hears it through userspace. The leg's lock of its receiver guards
// it.
type hush struct {
	leg   *Leg
	state *legState    // what was agreed when it began; nil: the far end speaks
	last  uint16       // of the far end's sequence numbers
	next  rtp.Header   // of the packet that is made next
	shift uint16       // from the far end's sequence numbers to those that are heard
	voice *noise.Voice // nil: none was needed so far
}

// quiet takes a packet of comfort noise.
func (l *Leg) quiet(s *legState, payload []byte) {
	if l.hush == nil {
		l.hush = &hush{leg: l}
	}
	h := l.hush
	d, ok := noise.Parse(payload)
	if !ok || h.state != nil && h.follows(&l.header) < 0 {
		return
	}
	if h.voice == nil || !h.voice.Codec.Same(s.codec) {
		voice, err := noise.NewVoice(s.codec)
		if err != nil {
			return
		}
		h.voice = voice
	}
	h.voice.Follow(d)
	if h.state == nil || l.header.SSRC != h.next.SSRC {
		h.next = l.header
		h.next.SequenceNumber += h.shift
		h.next.Marker, h.next.PayloadType = false, s.far.PayloadType
	}
	h.last, h.state = l.header.SequenceNumber, s
	l.session.engine.clock.Add(h)
}

// follows tells by how much a packet comes after the latest of comfort noise.
func (h *hush) follows(p *rtp.Header) int16 {
	if p.SSRC != h.next.SSRC {
		return 1
	}
	return int16(p.SequenceNumber - h.last)
}

// heard ends the hush, unless a packet has been overtaken by what began it, and
// numbers the packet as one of those that are heard.
func (h *hush) heard(p *rtp.Header) {
	if h == nil {
		return
	}
	if h.state != nil && h.follows(p) > 0 {
		h.end()
	}
	p.SequenceNumber += h.shift
}

// end ends the hush: the far end's numbers go on where those of the noise are.
func (h *hush) end() {
	if h == nil || h.state == nil {
		return
	}
	h.state = nil
	h.shift = h.next.SequenceNumber - (h.last + 1)
	h.leg.session.engine.clock.Remove(h)
}

// Tick implements clock.Ticker: it has a frame of noise heard.
func (h *hush) Tick() {
	l := h.leg
	l.receiving.Lock()
	defer l.receiving.Unlock()
	s := h.state
	if s == nil {
		return
	}
	if s != l.state.Load() || !l.isHeard(s) {
		h.end()
		return
	}
	payload, err := h.voice.Frame()
	if err != nil {
		l.session.log().Error("comfort noise cannot be made", "leg", l.name, "codec", s.codec.Name, "error", err)
		h.end()
		return
	}
	l.header = h.next
	h.next.SequenceNumber++
	h.next.Timestamp += s.codec.Ticks(payload)
	l.hear(s, payload, time.Now())
}

// hushes tells whether comfort noise has been agreed on.
func (l *Leg) hushes() bool {
	s := l.state.Load()
	return s != nil && s.far.Noise != 0
}

// isTapped tells whether userspace listens to the leg.
func (l *Leg) isTapped() bool { return len(l.taps.all()) > 0 || l.hearsKeys(l.state.Load()) }

// isHeard tells whether anybody hears the leg through userspace.
func (l *Leg) isHeard(s *legState) bool {
	targets, relayed := l.forward.Load(), l.relayed.Load()
	return targets != nil && len(*targets) > 0 || len(l.taps.all()) > 0 || l.hearsKeys(s) ||
		relayed != nil && len(relayed.monitors.all()) > 0
}

// unhush ends a hush for a leg that is closed.
func (l *Leg) unhush() {
	l.receiving.Lock()
	defer l.receiving.Unlock()
	l.hush.end()
}
