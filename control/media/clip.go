package media

import (
	"crypto/sha256"
	"sync"

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
	return Payload{PayloadType: to.far.PayloadType, Marker: n == 0, Samples: uint32(s.size), Data: s.buf}, true, nil
}
