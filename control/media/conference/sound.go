package conference

import (
	"errors"
	"io"
	"slices"
	"sync"
	"time"

	"mcp/control/media"
	"mcp/control/media/codec"
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

// Sound is an Audio, or a supply, that plays.
type Sound struct {
	conference *Conference
	to         string
	port       *mix.Port
	done       chan struct{}
	once       sync.Once
	wanted     chan struct{} // little is left of what has come of a supply

	// Guarded by the conference's lock.
	rest    []int16
	arrives bool // more is to come
	heard   int  // samples
	err     error
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
	s := c.newSound(a.To, a.Gain)
	s.rest = resample.Whole(a.PCM, a.Rate, c.rate)
	c.sounds = append(c.sounds, s)
	return s, c.applyLocked()
}

func (c *Conference) newSound(to string, gain float64) *Sound {
	return &Sound{
		conference: c, to: to, done: make(chan struct{}), wanted: make(chan struct{}, 1),
		port: &mix.Port{In: make([]int16, c.rate/50), Gain: linear(gain), Preferred: true, Deaf: true},
	}
}

// PlaySupply plays into the mix what a supply has, as it comes: while nothing does, nothing
// of it is heard. The supply is closed in the end; why it ended too early is the Sound's
// error.
func (c *Conference) PlaySupply(from media.Supply) (*Sound, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return nil, errors.Join(ErrClosed, from.Close())
	}
	s := c.newSound("", 0)
	s.arrives = true
	c.sounds = append(c.sounds, s)
	c.bridge.pouring.Go(func() { s.pour(from) })
	c.bridge.pouring.Go(func() {
		<-s.done
		from.Close()
	})
	return s, c.applyLocked()
}

// pour takes what comes of a supply, a second more than is heard.
func (s *Sound) pour(from media.Supply) {
	to := resample.NewUndelayed(codec.Narrowband, s.conference.rate)
	for {
		pcm, err := from.Next()
		if err == nil {
			pcm = to.Append(nil, pcm)
		} else {
			pcm = to.Finish(nil)
		}
		enough, more := s.take(pcm, err)
		for enough && more {
			select {
			case <-s.wanted:
			case <-s.done:
			}
			enough, more = s.take(nil, nil)
		}
		if !more {
			return
		}
	}
}

// take adds what has come, and tells whether that is enough until it has been heard, and
// whether more is wanted at all.
func (s *Sound) take(pcm []int16, err error) (enough, more bool) {
	s.conference.mu.Lock()
	defer s.conference.mu.Unlock()
	if !s.arrives || s.conference.over {
		return false, false
	}
	s.rest = append(s.rest, pcm...)
	if err != nil {
		s.arrives = false
		if err != io.EOF {
			s.err = err
		}
	}
	return len(s.rest) > s.conference.rate, s.arrives
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
	s.rest, s.arrives = nil, false
	s.conference.endSoundsLocked()
}

// Position is how much of it has been heard.
func (s *Sound) Position() time.Duration {
	s.conference.mu.Lock()
	defer s.conference.mu.Unlock()
	return time.Duration(s.heard) * time.Second / time.Duration(s.conference.rate)
}

// Err tells, after Done, why a supply was not heard to its end; nil if it was, or was
// stopped.
func (s *Sound) Err() error {
	s.conference.mu.Lock()
	defer s.conference.mu.Unlock()
	return s.err
}

func (s *Sound) end() { s.once.Do(func() { close(s.done) }) }

// next puts the next frame where the mixer takes it; false: it was the last.
func (s *Sound) next() bool {
	n := copy(s.port.In, s.rest)
	clear(s.port.In[n:])
	s.rest = s.rest[n:]
	s.heard += n
	s.port.Active = n > 0
	if s.arrives {
		select {
		case s.wanted <- struct{}{}:
		default:
		}
	}
	return len(s.rest) > 0 || s.arrives
}

// endSoundsLocked takes out what has been heard.
func (c *Conference) endSoundsLocked() {
	c.sounds = slices.DeleteFunc(c.sounds, func(s *Sound) bool {
		if len(s.rest) > 0 || s.arrives {
			return false
		}
		s.end()
		return true
	})
	if err := c.applyLocked(); err != nil {
		c.bridge.log.Error("plan conference", "conference", c.name, "error", err)
	}
}
