package player

import (
	"container/list"
	"fmt"
	"sync"
	"sync/atomic"
)

// The kernel's view of a recording.
const (
	pageOwn   = int(playerPageLayoutPAGE_OWN)
	pageAudio = int(playerPageLayoutPAGE_AUDIO)
	pageBytes = pageAudio + 4 // the number of the next
	maxAudio  = int(playerPageLayoutMAX_AUDIO)
)

// Format is how a recording is encoded: at an octet a tick of the RTP clock, as
// with G.711, and in whole words a millisecond.
type Format struct {
	Name    string
	Rate    int  // octets, and ticks, a second
	Silence byte // fills up the last packet
}

func (f Format) check() error {
	if f.Name == "" || f.Rate <= 0 || f.Rate%4000 != 0 || f.Rate*int(maxPtime.Milliseconds()) > maxAudio*1000 {
		return fmt.Errorf("%w: %+v", ErrNotAudio, f)
	}
	return nil
}

// Clip is a recording. It may play while it is being written: what is not there
// yet is waited for.
type Clip struct {
	store  *store
	format Format
	key    Key // zero: it is not shared

	uses int           // guarded by the store's lock
	idle *list.Element // the same; nobody uses it

	writing sync.Mutex
	audio   atomic.Pointer[audio]
}

// audio is what there is of a recording. It is replaced, never changed.
type audio struct {
	pages  []uint32
	gone   int // of the pages, that are given back: what was in them is not heard again
	length int
	ended  bool
	err    error // why it ended too early
}

// Write appends audio. ErrFull: there is no room for it.
func (c *Clip) Write(p []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	was := c.audio.Load()
	if was.ended {
		return 0, ErrEnded
	}
	now := &audio{pages: was.pages, gone: was.gone, length: was.length + len(p)}
	if more := (now.length+pageOwn-1)/pageOwn - len(was.pages); more > 0 {
		taken, err := c.store.take(more)
		if err != nil {
			return 0, fmt.Errorf("write clip: %w", err)
		}
		now.pages = append(now.pages, taken...)
		c.store.link(now.pages[max(0, len(was.pages)-1):])
	}
	c.put(now.pages, was.length, p)
	c.audio.Store(now)
	return len(p), nil
}

// End tells that nothing follows; err, why that is too early, or nil.
func (c *Clip) End(err error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	was := c.audio.Load()
	if was.ended {
		return
	}
	var silence [maxAudio]byte
	for i := range silence {
		silence[i] = c.format.Silence
	}
	c.put(was.pages, was.length, silence[:])
	c.audio.Store(&audio{pages: was.pages, gone: was.gone, length: was.length, ended: true, err: err})
}

// forget gives back the pages that nobody reads or writes any more once the clip has
// been said up to a place.
func (c *Clip) forget(said int) {
	c.writing.Lock()
	defer c.writing.Unlock()
	was := c.audio.Load()
	before := max(0, said-maxAudio) / pageOwn // see put
	if before <= was.gone {
		return
	}
	now := *was
	now.gone = before
	c.audio.Store(&now)
	c.store.give(was.pages[was.gone:before])
}

// put writes into every page that has a part of the place; see PAGE_OWN.
func (c *Clip) put(pages []uint32, at int, data []byte) {
	for k := max(0, at-maxAudio) / pageOwn; k < len(pages) && k*pageOwn < at+len(data); k++ {
		page := c.store.page(pages[k])
		from := max(at, k*pageOwn)
		if from < k*pageOwn+pageAudio {
			copy(page[from-k*pageOwn:pageAudio], data[from-at:])
		}
	}
}

// Octets is how much of it there is.
func (c *Clip) Octets() int { return c.audio.Load().length }

// Use adds a use to the caller's own, to be released by itself.
func (c *Clip) Use() { c.store.use(c) }

// Release gives up the caller's use of the clip.
func (c *Clip) Release() { c.store.release(c) }
