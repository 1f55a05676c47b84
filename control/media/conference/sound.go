package conference

import (
	"slices"
	"sync"

	"mcp/control/media/mix"
	"mcp/control/media/resample"
)

// Audio is a recording to be played into a conference.
type Audio struct {
	PCM  []int16
	Rate int     // Hz
	Gain float64 // dB
	To   string  // the only member who hears it; empty: all do
}

// Sound is an Audio that plays.
type Sound struct {
	conference *Conference
	to         string
	rest       []int16
	port       *mix.Port
	done       chan struct{}
	once       sync.Once
}

// Play plays a recording into the mix, beside what the members say.
func (c *Conference) Play(a Audio) (*Sound, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return nil, ErrClosed
	}
	if a.To != "" && c.findLocked(a.To) == nil {
		return nil, ErrMember
	}
	return c.playLocked(a)
}

func (c *Conference) playLocked(a Audio) (*Sound, error) {
	n := c.rate / 50
	s := &Sound{
		conference: c, to: a.To, rest: resample.Whole(a.PCM, a.Rate, c.rate), done: make(chan struct{}),
		port: &mix.Port{In: make([]int16, n), Gain: linear(a.Gain), Preferred: true, Deaf: true},
	}
	c.sounds = append(c.sounds, s)
	return s, c.applyLocked()
}

// soundLocked plays what tells of members, if it is wanted.
func (c *Conference) soundLocked(a *Audio) {
	if a == nil {
		return
	}
	if _, err := c.playLocked(*a); err != nil {
		c.bridge.log.Error("play into conference", "conference", c.name, "error", err)
	}
}

// Done is closed when it has been heard, or was stopped.
func (s *Sound) Done() <-chan struct{} { return s.done }

// Stop ends it.
func (s *Sound) Stop() {
	s.conference.mu.Lock()
	defer s.conference.mu.Unlock()
	s.rest = nil
	s.conference.endSoundsLocked()
}

func (s *Sound) end() { s.once.Do(func() { close(s.done) }) }

// next puts the next frame where the mixer takes it; false: it was the last.
func (s *Sound) next() bool {
	n := copy(s.port.In, s.rest)
	clear(s.port.In[n:])
	s.rest = s.rest[n:]
	s.port.Active = n > 0
	return len(s.rest) > 0
}

// endSoundsLocked takes out what has been heard.
func (c *Conference) endSoundsLocked() {
	c.sounds = slices.DeleteFunc(c.sounds, func(s *Sound) bool {
		if len(s.rest) > 0 {
			return false
		}
		s.end()
		return true
	})
	if err := c.applyLocked(); err != nil {
		c.bridge.log.Error("plan conference", "conference", c.name, "error", err)
	}
}
