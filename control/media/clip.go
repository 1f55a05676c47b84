package media

import (
	"crypto/sha256"
	"fmt"
	"sync"
	"time"

	"mcp/control/media/audiofile"
	"mcp/control/media/codec"
)

// Clip is a recording ready to be sent: encoded once, shared by all calls.
type Clip struct {
	codec   codec.Codec
	payload []byte // one octet a sample

	once   sync.Once
	digest string
}

// Codec is what the clip is encoded in.
func (c *Clip) Codec() codec.Codec { return c.codec }

// Payload is the clip's audio, an octet a sample. It must not be changed.
func (c *Clip) Payload() []byte { return c.payload }

// Digest tells clips of one codec apart by what they sound like.
func (c *Clip) Digest() string {
	c.once.Do(func() {
		sum := sha256.Sum256(c.payload)
		c.digest = string(sum[:])
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
func (c *Clip) Samples() int { return len(c.payload) }

// NewClip encodes linear samples at 8 kHz.
func NewClip(pcm []int16, to codec.Codec) (*Clip, error) {
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

// clipScript plays a clip frame by frame.
type clipScript struct {
	clip *Clip
	size int // octets in a frame
	buf  []byte
	as   codec.Codec       // what the frames were transcoded to last
	code *codec.Transcoder // nil: the clip's own codec
}

func newClipScript(c *Clip, samples int) *clipScript {
	return &clipScript{clip: c, size: samples, buf: make([]byte, samples), as: c.codec}
}

func (s *clipScript) frames() int { return (len(s.clip.payload) + s.size - 1) / s.size }

// frame is the n-th, the last filled up with silence. Should the far end speak
// another codec by now, it is transcoded.
func (s *clipScript) frame(n int, to *legState) (Payload, bool, error) {
	got := copy(s.buf, s.clip.payload[n*s.size:])
	for i := got; i < len(s.buf); i++ {
		s.buf[i] = s.clip.codec.Silence()
	}
	if !s.as.Same(to.codec) {
		code, err := codec.NewTranscoder(s.clip.codec, to.codec)
		if err != nil {
			return Payload{}, false, err
		}
		s.as, s.code = to.codec, code
	}
	if s.code != nil {
		s.code.Rewrite(s.buf, s.buf)
	}
	return Payload{PayloadType: to.far.PayloadType, Samples: uint32(s.size), Data: s.buf}, true, nil
}

// Live is a clip that plays while it is still being made: what an engine
// synthesizes, what a bot answers. What is not there yet is waited for.
type Live struct {
	codec codec.Codec

	mu    sync.Mutex // guards what follows
	audio []byte     // one octet a sample
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

// maxLive bounds a Live: ten minutes of G.711.
const maxLive = 10 * 60 * 8000

// NewLive begins a clip of which nothing is there yet.
func NewLive(c codec.Codec) *Live { return &Live{codec: c} }

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
	return time.Duration(len(l.audio)) * time.Second / 8000
}

// Clip is what has been written so far, as a clip of its own.
func (l *Live) Clip() *Clip {
	l.mu.Lock()
	defer l.mu.Unlock()
	return &Clip{codec: l.codec, payload: l.audio[:len(l.audio):len(l.audio)]}
}

// PlayLive plays a clip to a leg's far end as Play does, while it is being written.
func (s *Session) PlayLive(to *Leg, live *Live) (*Playback, error) {
	state := to.state.Load()
	if state == nil || !state.codec.Same(live.codec) {
		return nil, fmt.Errorf("play to leg %s: the clip is %s, the leg is not", to.name, live.codec.Name)
	}
	samples, span := state.samples()
	return s.perform(newPlayback(to, &liveScript{live: live, size: samples, buf: make([]byte, samples), as: live.codec, gap: true}, span))
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
	gap  bool              // something is missing before the next frame
	as   codec.Codec       // what the frames were transcoded to last
	code *codec.Transcoder // nil: the clip's own codec
}

var _ growing = (*liveScript)(nil)

func (s *liveScript) frames() int { return 0 }

// reaches implements growing.
func (s *liveScript) reaches(n int) (there, over bool, err error) {
	s.live.mu.Lock()
	defer s.live.mu.Unlock()
	have := len(s.live.audio) - n*s.size
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
	got := copy(s.buf, s.live.audio[n*s.size:])
	s.live.mu.Unlock()
	for i := got; i < len(s.buf); i++ {
		s.buf[i] = s.live.codec.Silence()
	}
	if !s.as.Same(to.codec) {
		code, err := codec.NewTranscoder(s.live.codec, to.codec)
		if err != nil {
			return Payload{}, false, err
		}
		s.as, s.code = to.codec, code
	}
	if s.code != nil {
		s.code.Rewrite(s.buf, s.buf)
	}
	marker := s.gap
	s.gap = false
	return Payload{PayloadType: to.far.PayloadType, Marker: marker, Samples: uint32(s.size), Data: s.buf}, true, nil
}
