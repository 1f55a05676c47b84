package media

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"sync"
	"time"

	"mcp/control/media/audiofile"
	"mcp/control/media/codec"
)

// Clip is a recording ready to be sent: encoded once, shared by all calls.
type Clip struct {
	codec   codec.Codec
	payload []byte   // one octet a sample
	packets [][]byte // of 20 ms each, in codecs that have no octet a sample

	once   sync.Once
	digest string
}

// Codec is what the clip is encoded in.
func (c *Clip) Codec() codec.Codec { return c.codec }

// Payload is the clip's audio, an octet a sample; nil in codecs that have none. It
// must not be changed.
func (c *Clip) Payload() []byte { return c.payload }

// Digest tells clips of one codec apart by what they sound like.
func (c *Clip) Digest() string {
	c.once.Do(func() {
		sum := sha256.New()
		sum.Write(c.payload)
		for _, p := range c.packets {
			sum.Write(p)
		}
		c.digest = string(sum.Sum(nil))
	})
	return c.digest
}

// in is the clip in another codec; itself if that is its own.
func (c *Clip) in(other codec.Codec) (*Clip, error) {
	if c.codec.Same(other) {
		return c, nil
	}
	code, err := codec.NewTranscoder(c.codec, other)
	if err != nil {
		return nil, err
	}
	payload := make([]byte, len(c.payload))
	code.Rewrite(payload, c.payload)
	return &Clip{codec: other, payload: payload}, nil
}

// Samples is the clip's length at 8 kHz.
func (c *Clip) Samples() int { return len(c.payload) + len(c.packets)*codec.Narrowband/50 }

// NewClip encodes linear samples at 8 kHz.
func NewClip(pcm []int16, to codec.Codec) (*Clip, error) {
	if !to.Octets() {
		packets, err := to.Frames(pcm)
		return &Clip{codec: to, packets: packets}, err
	}
	payload, err := to.Encode(pcm)
	if err != nil {
		return nil, err
	}
	return &Clip{codec: to, payload: payload}, nil
}

// DecodeClip makes a clip of a file; package audiofile tells of which, and says
// audiofile.ErrUnsupported to others.
func DecodeClip(mediaType string, data []byte, to codec.Codec) (*Clip, error) {
	pcm, err := audiofile.Decode(mediaType, data)
	if err != nil {
		return nil, err
	}
	return NewClip(pcm, to)
}

// suits tells whether audio in a codec can be played to who speaks another: G.711 is
// encoded anew while it plays, if need be.
func suits(is, spoken codec.Codec) bool { return is.Same(spoken) || isLaw(is) && !isLaw(spoken) }

// clipScript plays a clip frame by frame.
type clipScript struct {
	clip *Clip
	size int      // octets in a frame
	buf  []byte   // nil: the plane plays it, so far
	code *recoder // the same
}

// newClipScript also tells how long a frame is, to a far end that wants span.
func newClipScript(c *Clip, span time.Duration) (*clipScript, time.Duration) {
	if c.packets != nil {
		return &clipScript{clip: c}, frame
	}
	return &clipScript{clip: c, size: octets(span)}, span
}

// octets are those of a span in codecs of an octet a sample.
func octets(span time.Duration) int { return int(span * codec.Narrowband / time.Second) }

func (s *clipScript) frames() int {
	if s.clip.packets != nil {
		return len(s.clip.packets)
	}
	return (len(s.clip.payload) + s.size - 1) / s.size
}

// frame is the n-th, the last filled up with silence. Should the far end speak
// another codec by now, it is transcoded.
func (s *clipScript) frame(n int, to *legState) (Payload, bool, error) {
	if s.code == nil {
		s.code = &recoder{from: s.clip.codec}
	}
	if s.clip.packets != nil {
		return s.code.payload(s.clip.packets[n], frame, to)
	}
	if s.buf == nil {
		s.buf = make([]byte, s.size)
	}
	got := copy(s.buf, s.clip.payload[n*s.size:])
	for i := got; i < len(s.buf); i++ {
		s.buf[i] = s.clip.codec.Silence()
	}
	return s.code.payload(s.buf, time.Duration(s.size)*time.Second/codec.Narrowband, to)
}

// recoder makes payloads for a far end of what is encoded in one codec, whatever it
// speaks at the time.
type recoder struct {
	from codec.Codec
	as   codec.Codec       // what the latest was transcoded to
	law  *codec.Transcoder // in place, between the laws
	anew *conversion       // between others
}

// payload is what is sent of a frame of so much time; the laws are transcoded in
// place.
func (r *recoder) payload(data []byte, span time.Duration, to *legState) (Payload, bool, error) {
	if err := r.turn(to.codec); err != nil {
		return Payload{}, false, err
	}
	var err error
	switch {
	case r.law != nil:
		r.law.Rewrite(data, data)
	case r.anew != nil:
		data, err = r.anew.one(data, int(span*time.Duration(to.codec.SampleRate())/time.Second))
	}
	ticks := uint32(span * time.Duration(to.codec.ClockRate) / time.Second)
	return Payload{PayloadType: to.far.PayloadType, Samples: ticks, Data: data}, err == nil, err
}

// turn makes ready for a codec.
func (r *recoder) turn(to codec.Codec) (err error) {
	if r.as.Same(to) {
		return nil
	}
	r.law, r.anew = nil, nil
	switch {
	case r.from.Same(to):
	case isLaw(r.from) && isLaw(to):
		r.law, err = codec.NewTranscoder(r.from, to)
	default:
		r.anew, err = newConversion(r.from, to)
	}
	if err == nil {
		r.as = to
	}
	return err
}

// Live is a clip that plays while it is still being made: what an engine
// synthesizes, what a bot answers. What is not there yet is waited for.
type Live struct {
	codec codec.Codec

	mu    sync.Mutex // guards what follows
	audio []byte     // one octet a sample
	gone  int        // octets before it that are not needed any more
	ended bool
	err   error // why it ended too early
	heirs map[*heir]struct{}
}

// Follower takes what is written to a Live, and its end. It must not block, nor call
// the Live.
type Follower interface {
	Write([]byte) (int, error)
	End(err error)
}

// heir is a follower, and the codec it has.
type heir struct {
	to   Follower
	code *codec.Transcoder // nil: the clip's own codec
}

func (h *heir) write(p []byte) error {
	if h.code != nil {
		p = append([]byte(nil), p...)
		h.code.Rewrite(p, p)
	}
	_, err := h.to.Write(p)
	return err
}

// Follow hands all that was and will be written to a follower, in a codec of its own,
// until it has ended or stop returns. A follower that cannot take it is told that it
// ended. An error: it could not take what was there.
func (l *Live) Follow(as codec.Codec, to Follower) (stop func(), err error) {
	h := &heir{to: to}
	if !l.codec.Same(as) {
		if h.code, err = codec.NewTranscoder(l.codec, as); err != nil {
			return nil, err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gone > 0 { // what follows is at its place
		if err := h.write(bytes.Repeat([]byte{l.codec.Silence()}, l.gone)); err != nil {
			return nil, err
		}
	}
	if err := h.write(l.audio); err != nil {
		return nil, err
	}
	if l.ended {
		to.End(l.err)
		return func() {}, nil
	}
	if l.heirs == nil {
		l.heirs = make(map[*heir]struct{})
	}
	l.heirs[h] = struct{}{}
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.heirs, h)
	}, nil
}

// maxLive bounds what there is of a Live: ten minutes of G.711.
const maxLive = 10 * 60 * 8000

// NewLive begins a clip of which nothing is there yet, in Law(c).
func NewLive(c codec.Codec) *Live { return &Live{codec: Law(c)} }

// Law is the form of G.711, PCMU or PCMA, in which speech engines exchange audio with
// a leg of the given codec: that codec itself if it is one of the two, otherwise PCMU.
func Law(c codec.Codec) codec.Codec {
	if isLaw(c) {
		return c
	}
	return codec.PCMU
}

// Write appends audio in the clip's codec. It never blocks.
func (l *Live) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return 0, ErrClosed
	}
	if len(l.audio)+len(p) > maxLive {
		return 0, fmt.Errorf("clip is longer than %d s", maxLive/8000)
	}
	l.audio = append(l.audio, p...)
	for h := range l.heirs {
		if err := h.write(p); err != nil {
			h.to.End(err)
			delete(l.heirs, h)
		}
	}
	return len(p), nil
}

// End tells that nothing follows; err, why that is too early, or nil. It is
// idempotent.
func (l *Live) End(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return
	}
	l.ended, l.err = true, err
	for h := range l.heirs {
		h.to.End(err)
	}
	l.heirs = nil
}

// Length is how much has been written.
func (l *Live) Length() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Duration(l.gone+len(l.audio)) * time.Second / codec.Narrowband
}

// forget lets go of what is before a place.
func (l *Live) forget(before time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := min(octets(before)-l.gone, len(l.audio))
	if n > len(l.audio)/2 { // as much is copied as is let go of, at most
		l.audio = append([]byte(nil), l.audio[n:]...)
		l.gone += n
	}
}

// Clip is what there is so far, as a clip of its own.
func (l *Live) Clip() *Clip {
	l.mu.Lock()
	defer l.mu.Unlock()
	return &Clip{codec: l.codec, payload: l.audio[:len(l.audio):len(l.audio)]}
}

// PlayLive plays a clip to a leg's far end as Play does, while it is being written.
func (s *Session) PlayLive(to *Leg, live *Live) (*Playback, error) {
	state := to.state.Load()
	if state == nil || !suits(live.codec, state.codec) {
		return nil, fmt.Errorf("play to leg %s: the clip is %s, the leg is not", to.name, live.codec.Name)
	}
	_, span := state.samples()
	size := octets(span)
	return s.perform(newPlayback(to, &liveScript{live: live, size: size, buf: make([]byte, size), code: recoder{from: live.codec}, gap: true}, span))
}

// lead is how much audio is awaited, when there was none, before it goes on: what
// arrives bit by bit, as fast as it is spoken, would otherwise stutter.
const lead = 60 * time.Millisecond

// nap is how long a playback waits for a clip that has nothing more to say yet.
const nap = 5 * time.Millisecond

// liveScript plays a Live frame by frame.
type liveScript struct {
	live *Live
	size int // octets in a frame
	buf  []byte
	gap  bool // something is missing before the next frame
	code recoder
}

var _ growing = (*liveScript)(nil)

func (s *liveScript) frames() int { return 0 }

// reaches implements growing.
func (s *liveScript) reaches(n int) (there, over bool, err error) {
	s.live.mu.Lock()
	defer s.live.mu.Unlock()
	have := s.live.gone + len(s.live.audio) - n*s.size
	if s.live.ended {
		return have > 0, have <= 0, s.live.err
	}
	need := s.size
	if s.gap {
		need += int(lead * 8000 / time.Second)
	}
	if have < need {
		s.gap = true
		return false, false, nil
	}
	return true, false, nil
}

// frame implements script.
func (s *liveScript) frame(n int, to *legState) (Payload, bool, error) {
	s.live.mu.Lock()
	got := copy(s.buf, s.live.audio[max(0, n*s.size-s.live.gone):])
	s.live.mu.Unlock()
	for i := got; i < len(s.buf); i++ {
		s.buf[i] = s.live.codec.Silence()
	}
	p, ok, err := s.code.payload(s.buf, time.Duration(s.size)*time.Second/codec.Narrowband, to)
	p.Marker = s.gap
	s.gap = false
	return p, ok, err
}

// Supply is linear audio at 8 kHz that comes piece by piece.
type Supply interface {
	// Next is what comes next, valid until the next call. It waits for it until Close.
	// The error is io.EOF at the end, or why there is no more.
	Next() ([]int16, error)
	io.Closer
}

// ahead is how much of a supply is taken before it is heard: enough for a platform that
// stands still for a moment, and little of the room that all recordings share, for each
// of the hundreds who may play a recording that is still arriving keeps that much.
const ahead = 2 * time.Second

// PlaySupply plays to a leg's far end what a supply has, as it comes: while nothing does,
// nothing is heard. No more is kept than is about to be heard, however long it lasts. The
// supply is closed in the end; why it ended too early is the playback's error.
func (s *Session) PlaySupply(to *Leg, from Supply) (*Playback, error) {
	live := NewLive(to.spoken())
	b, err := s.PlayLive(to, live)
	if err != nil {
		from.Close()
		return nil, err
	}
	s.engine.pouring.Go(func() { live.End(pour(from, live, b)) })
	s.engine.pouring.Go(func() {
		<-b.Done()
		from.Close()
	})
	return b, nil
}

// pour writes a supply into a clip until it ends, or the playback has.
func pour(from Supply, into *Live, b *Playback) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		pcm, err := from.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		law, err := into.codec.Encode(pcm)
		if err != nil {
			return err
		}
		if _, err := into.Write(law); err != nil {
			return err
		}
		at := b.Position()
		into.forget(at)
		timer.Reset(into.Length() - at - ahead)
		select {
		case <-timer.C:
		case <-b.Done():
			return nil
		}
	}
}
