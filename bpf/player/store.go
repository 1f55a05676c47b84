package player

import (
	"container/list"
	"encoding/binary"
	"sync"
)

// Key tells shared clips apart.
type Key struct {
	Source string // where it is from, or what it says
	Codec  string
}

// CacheStats counts what became of requests for shared clips.
type CacheStats struct {
	Hits, Misses, Evictions uint64
	Clips                   int // that are kept, in use or not
	Bytes, Room             int // of pages
}

// store keeps clips in a bounded memory. Those that nobody uses stay until their
// room is needed, the least recently used going first.
type store struct {
	memory []byte

	mu    sync.Mutex // guards what follows
	free  []uint32
	clips map[Key]*Clip
	idle  *list.List
	stats CacheStats
}

func newStore(memory []byte) *store {
	s := &store{memory: memory, clips: make(map[Key]*Clip), idle: list.New()}
	for page := len(memory)/pageBytes - 1; page >= 0; page-- {
		s.free = append(s.free, uint32(page))
	}
	return s
}

func (s *store) page(n uint32) []byte {
	from := int(n) * pageBytes
	return s.memory[from : from+pageBytes]
}

// link tells of each page which comes after it.
func (s *store) link(pages []uint32) {
	for i := 1; i < len(pages); i++ {
		binary.NativeEndian.PutUint32(s.page(pages[i-1])[pageAudio:], pages[i])
	}
}

// nextPage is the page that comes after one.
func nextPage(page []byte) uint32 { return binary.NativeEndian.Uint32(page[pageAudio:]) }

// get finds a shared clip, or makes an empty one for the caller to write.
func (s *store) get(key Key, f Format) (c *Clip, fresh bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.clips[key]; c != nil {
		s.stats.Hits++
		s.useLocked(c)
		return c, false
	}
	s.stats.Misses++
	c = s.empty(f)
	c.key = key
	s.clips[key] = c
	return c, true
}

// empty makes a clip with one use.
func (s *store) empty(f Format) *Clip {
	c := &Clip{store: s, format: f, uses: 1}
	c.audio.Store(&audio{})
	return c
}

func (s *store) use(c *Clip) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.useLocked(c)
}

func (s *store) useLocked(c *Clip) {
	c.uses++
	if c.idle != nil {
		s.idle.Remove(c.idle)
		c.idle = nil
	}
}

// release takes back a use. A clip that is not shared, or not whole, goes with
// its last.
func (s *store) release(c *Clip) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.uses--
	if c.uses > 0 {
		return
	}
	if a := c.audio.Load(); s.clips[c.key] == c && a.ended && a.err == nil {
		c.idle = s.idle.PushBack(c)
		return
	}
	s.dropLocked(c)
}

// forget stops sharing a clip that could not be written.
func (s *store) forget(c *Clip) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.clips[c.key] == c {
		delete(s.clips, c.key)
	}
}

func (s *store) dropLocked(c *Clip) {
	if s.clips[c.key] == c {
		delete(s.clips, c.key)
	}
	was := c.audio.Swap(&audio{ended: true, err: ErrEnded})
	s.free = append(s.free, was.pages[was.gone:]...)
}

// give takes pages back.
func (s *store) give(pages []uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free = append(s.free, pages...)
}

// take gives pages to a clip, for which clips that nobody uses may have to go.
func (s *store) take(n int) ([]uint32, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.free) < n && s.idle.Len() > 0 {
		oldest := s.idle.Remove(s.idle.Front()).(*Clip)
		oldest.idle = nil
		s.dropLocked(oldest)
		s.stats.Evictions++
	}
	if len(s.free) < n {
		return nil, ErrFull
	}
	rest := len(s.free) - n
	taken := append([]uint32(nil), s.free[rest:]...)
	s.free = s.free[:rest]
	return taken, nil
}

func (s *store) snapshot() CacheStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.stats
	all.Clips = len(s.clips)
	all.Room = len(s.memory)
	all.Bytes = all.Room - len(s.free)*pageBytes
	return all
}

// NewClip begins a recording that is not shared. Release it when it is not
// wanted any more; streams that play it keep it as long as they need it.
func (p *Player) NewClip(f Format) (*Clip, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	return p.store.empty(f), nil
}

// Clip finds a recording that is shared by all calls, or has it written, once:
// who asks meanwhile gets the clip as well, and may play it while it grows. If it
// cannot be written it ends where it is and is not kept. Release it when it is not
// wanted any more.
func (p *Player) Clip(key Key, f Format, write func(*Clip) error) (*Clip, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	c, fresh := p.store.get(key, f)
	if !fresh {
		return c, nil
	}
	if err := write(c); err != nil {
		p.store.forget(c)
		c.End(err)
		c.Release()
		return nil, err
	}
	c.End(nil)
	return c, nil
}
