package media

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"mcp/control/media/codec"
	"mcp/control/media/detect"
	"mcp/control/media/dtmf"
	"mcp/control/media/resample"
	"mcp/control/media/tone"
)

// Digit is one DTMF key press.
type Digit struct {
	Key byte // 0-9, *, #, A-D
}

// ErrNoEvents says that the far end takes no telephone-event packets any more.
var ErrNoEvents = errors.New("the far end has not agreed to telephone-event")

// SendDigits presses keys towards the far end (RFC 4733), which hears nothing
// else meanwhile. One that has not agreed to telephone-event gets them in its
// audio. It returns when all have been sent; when ctx ends it stops at
// once.
func (l *Leg) SendDigits(ctx context.Context, keys string) error {
	b, err := l.session.press(l, keys)
	if err != nil {
		return fmt.Errorf("send digits to leg %s: %w", l.name, err)
	}
	select {
	case <-b.Done():
	case <-ctx.Done():
		b.Stop()
		<-b.Done()
		return ctx.Err()
	}
	return b.Err()
}

// How keys sound that are sent in the audio: levels and times of ITU-T Q.23 and
// Q.24 with room to spare.
const (
	keyLevel  = -9 // dBm0, of each of the two tones
	keyLength = 100 * time.Millisecond
	keyPause  = 80 * time.Millisecond
)

// keyClip is key presses as they sound.
func keyClip(keys string, as codec.Codec) (*Clip, error) {
	parts, err := tone.Keys(keys, keyLevel, keyLength, keyPause)
	if err != nil {
		return nil, err
	}
	return NewClip(tone.PCM(codec.Narrowband, parts...), as)
}

// HearKeys has keys heard in the leg's audio itself for as long as its far end has
// not agreed to telephone-event; Digits delivers them. The plane then copies the
// audio to userspace.
func (l *Leg) HearKeys(on bool) error {
	s := l.session
	s.mu.Lock()
	defer s.mu.Unlock()
	l.inBand.Store(on)
	return s.applyLocked()
}

// hearsKeys tells whether keys are looked for in the audio.
func (l *Leg) hearsKeys(s *legState) bool { return s != nil && l.inBand.Load() && s.far.Events < 0 }

// keyEar looks for keys in a leg's audio.
type keyEar struct {
	codec   codec.Codec
	decoder codec.Decoder
	convert *resample.Stream
	keys    *detect.Keys
	pcm     []int16
	narrow  []int16
}

// overhearKeys takes a packet of audio in which there may be keys.
func (l *Leg) overhearKeys(s *legState, payload []byte) {
	e := l.ear
	if e == nil || !e.codec.Same(s.codec) {
		d, err := codec.NewDecoder(s.codec)
		if err != nil {
			return
		}
		e = &keyEar{codec: s.codec, decoder: d, keys: detect.NewKeys(), convert: resample.New(s.codec.SampleRate(), codec.Narrowband)}
		l.ear = e
	}
	var err error
	if e.pcm, err = e.decoder.Decode(e.pcm[:0], payload); err != nil {
		return
	}
	e.narrow = e.convert.Append(e.narrow[:0], e.pcm)
	l.keys = e.keys.Append(l.keys[:0], e.narrow)
	l.deliver()
}

// keyScript plays key presses.
type keyScript struct{ *dtmf.Sequence }

func (s keyScript) frames() int { return s.Frames() }

func (s keyScript) frame(n int, to *legState) (Payload, bool, error) {
	if to.far.Events < 0 {
		return Payload{}, false, ErrNoEvents
	}
	p, ok := s.Packet(n)
	return Payload{PayloadType: uint8(to.far.Events), Marker: p.First, Samples: p.Ticks, Data: p.Data}, ok, nil
}

// event takes a telephone-event packet.
func (l *Leg) event(payload []byte) {
	l.keys = l.detector.Packet(l.keys[:0], l.header.SSRC, l.header.Timestamp, payload)
	l.deliver()
}

// Signalled hands on a key of which the far end tells by signalling. False: it has
// agreed to telephone-event, and a far end that tells of a key by both means one.
func (l *Leg) Signalled(key byte) bool {
	if s := l.state.Load(); s == nil || s.far.Events >= 0 {
		return false
	}
	l.press(Digit{Key: key})
	return true
}

// deliver hands on the keys that were found.
func (l *Leg) deliver() {
	for _, key := range l.keys {
		l.press(Digit{Key: key})
	}
}

func (l *Leg) press(d Digit) {
	if l.pressed.put(d) {
		l.session.engine.tally.digits.Add(1)
		return
	}
	l.session.engine.tally.lostDigits.Add(1)
	l.session.log().Warn("DTMF digit lost: nobody reads them", "leg", l.name)
}

// digitQueue is how many digits wait for a reader; a caller cannot press more
// before somebody looks.
const digitQueue = 64

// presses are the keys that a far end has pressed, on their way to who wants them.
type presses struct {
	mu      sync.Mutex       // guards what follows
	waiting chan Digit       // nil: none has waited so far
	take    func(Digit) bool // nil: they wait
}

// queueLocked is where they wait; p.mu is held.
func (p *presses) queueLocked() chan Digit {
	if p.waiting == nil {
		p.waiting = make(chan Digit, digitQueue)
	}
	return p.waiting
}

// put is false when there is no room.
func (p *presses) put(d Digit) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.take != nil {
		return p.take(d)
	}
	select {
	case p.queueLocked() <- d:
		return true
	default:
		return false
	}
}

// Digits delivers DTMF (RFC 4733), each key press once, when it begins.
func (l *Leg) Digits() <-chan Digit {
	p := &l.pressed
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.queueLocked()
}

// TakeDigits hands f what Digits would deliver, beginning with the keys that wait
// there, until stop is called. It calls f for one key at a time; f must not block, and
// returns false when it has no room for a key.
func (l *Leg) TakeDigits(f func(Digit) bool) (stop func()) {
	p := &l.pressed
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.waiting) > 0 {
		select {
		case d := <-p.waiting:
			f(d)
		default: // another reads them
		}
	}
	p.take = f
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.take = nil
	}
}
