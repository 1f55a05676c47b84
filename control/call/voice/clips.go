package voice

import (
	"hash/maphash"
	"sync"
	"weak"

	"mcp/control/media"
	"mcp/control/media/codec"
)

// maxClips bounds the cache: at ten seconds a clip, some 80 MB of G.711.
const maxClips = 1000

// Clips keeps recordings decoded and encoded for a codec, by content, for all
// calls to share. Most come again and again from the memory of the same cached file:
// that is enough to know them by, without a look at their content.
type Clips struct {
	seed maphash.Seed

	mu     sync.Mutex // guards what follows
	byKey  map[clipKey]*media.Clip
	coming map[clipKey]func() (*media.Clip, error) // wait for what is being decoded
}

// clipKey is what a recording is known by: the memory it is in, its content, whose hash
// nobody outside can foresee, or the name that an engine has for it.
type clipKey struct {
	memory    weak.Pointer[byte] // no other has it, even when it is gone
	content   uint64
	length    int
	mediaType string
	name      string
	codec     string
}

// NewClips makes an empty one.
func NewClips() *Clips {
	return &Clips{seed: maphash.MakeSeed(), byKey: map[clipKey]*media.Clip{}, coming: map[clipKey]func() (*media.Clip, error){}}
}

// Get returns the clip of a recording, decoding it when it is new: once, however many
// ask for it at that moment. The data must not be changed afterwards.
func (c *Clips) Get(mediaType string, data []byte, spoken codec.Codec) (*media.Clip, error) {
	same := clipKey{length: len(data), mediaType: mediaType, codec: spoken.Name}
	if len(data) > 0 {
		same.memory = weak.Make(&data[0])
	}
	if clip := c.find(same); clip != nil {
		return clip, nil
	}
	alike := same
	alike.memory, alike.content = weak.Pointer[byte]{}, maphash.Bytes(c.seed, data)
	clip, err := c.share(alike, func() (*media.Clip, error) { return media.DecodeClip(mediaType, data, spoken) })
	if err != nil {
		return nil, err
	}
	c.keep(same, clip)
	return clip, nil
}

// share finds a clip, or makes it: the first who asks does, and the others wait. One that
// could not be made is tried again by who asks later.
func (c *Clips) share(k clipKey, decode func() (*media.Clip, error)) (*media.Clip, error) {
	c.mu.Lock()
	clip, wait := c.byKey[k], c.coming[k]
	if clip == nil && wait == nil {
		wait = sync.OnceValues(func() (clip *media.Clip, err error) {
			defer func() { c.came(k, clip) }()
			return decode()
		})
		c.coming[k] = wait
	}
	c.mu.Unlock()
	if clip != nil {
		return clip, nil
	}
	return wait()
}

// came keeps what was being made; nil: it could not be.
func (c *Clips) came(k clipKey, clip *media.Clip) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.coming, k)
	if clip != nil {
		c.keepLocked(k, clip)
	}
}

// said is the key of what an engine calls by a name of its own.
func said(name string, spoken codec.Codec) clipKey {
	return clipKey{name: name, codec: spoken.Name}
}

func (c *Clips) find(k clipKey) *media.Clip {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.byKey[k]
}

func (c *Clips) keep(k clipKey, clip *media.Clip) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keepLocked(k, clip)
}

// keepLocked makes room by dropping an arbitrary clip: the cache serves the few
// recordings that every call plays, and those come back at once.
func (c *Clips) keepLocked(k clipKey, clip *media.Clip) {
	if len(c.byKey) >= maxClips {
		for old := range c.byKey {
			delete(c.byKey, old)
			break
		}
	}
	c.byKey[k] = clip
}
