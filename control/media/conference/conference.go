package conference

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"mcp/control/media"
	"mcp/control/media/codec"
	"mcp/control/media/mix"
)

// Options say how a conference is.
type Options struct {
	Loudest  int  // how many are heard at once beside those preferred; 0: all
	Max      int  // members; 0: any number
	Wideband bool // mixed at 16 kHz rather than 8
	// Joined and Left are played to all when a member comes or goes; nil: nothing.
	Joined, Left *Audio
	// Notify is told of members who begin to talk and who stop, which has two
	// members mixed who could be relayed. It must not block or call back.
	Notify func(Talk)
}

// Talk says that a member began to talk, or has been silent for a moment.
type Talk struct {
	Member string
	Talks  bool
	Level  float64 // dB below full scale
}

// Member is how a leg takes part.
type Member struct {
	ID        string
	Gain      float64 // of what it says, dB
	Mute      bool    // it is not heard
	Deaf      bool    // it hears nothing
	Preferred bool    // it is heard however many speak
	// HeardBy, unless nil, are the only ones who hear it: a coach's or whispering
	// voice. Those who are not there are left out.
	HeardBy []string
}

// Reasons for which a member is not to be had.
var (
	ErrMember  = errors.New("no such member")
	ErrIsThere = errors.New("there is a member of that name")
	ErrFull    = errors.New("conference is full")
)

// Sink takes the mix: what a member hears who says nothing.
type Sink interface {
	// Frame takes 20 ms of it; it must not block and does not keep them.
	Frame(pcm []int16)
}

// Conference is legs that hear each other. Its methods may be called from any goroutine.
type Conference struct {
	bridge *Bridge
	name   string
	o      Options
	rate   int
	mixing atomic.Bool // the clock is wanted

	mu      sync.Mutex // guards what follows
	members []*member
	sounds  []*Sound
	sinks   []Sink
	applied course
	mixer   *mix.Mixer
	ports   []*mix.Port
	common  encoded
	talk    []Talk
	over    bool
}

func newConference(b *Bridge, name string, o Options) (*Conference, error) {
	c := &Conference{bridge: b, name: name, o: o, rate: codec.Narrowband}
	if o.Wideband {
		c.rate = codec.Wideband
	}
	c.mixer = mix.New(c.rate/50, o.Loudest)
	var err error
	c.common, err = newEncoded(c.rate / 50)
	return c, err
}

// Name is what the conference is found by.
func (c *Conference) Name() string { return c.name }

// Rate is that of the mix, in Hz.
func (c *Conference) Rate() int { return c.rate }

// Mixed tells whether userspace mixes at present, rather than the plane relaying.
func (c *Conference) Mixed() bool { return c.mixing.Load() }

// Join makes a connected leg a member. The leg hears the conference alone,
// whatever else it is joined to, until it leaves; clips to it are heard over it.
func (c *Conference) Join(leg *media.Leg, set Member) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.over:
		return ErrClosed
	case c.findLocked(set.ID) != nil:
		return fmt.Errorf("join %s as %s: %w", c.name, set.ID, ErrIsThere)
	case c.o.Max > 0 && len(c.members) >= c.o.Max:
		return fmt.Errorf("join %s: %w", c.name, ErrFull)
	}
	c.members = append(c.members, newMember(c.rate, leg, set))
	if err := c.applyLocked(); err != nil {
		return errors.Join(fmt.Errorf("join %s: %w", c.name, err), c.dropLocked(len(c.members)-1))
	}
	c.soundLocked(c.o.Joined)
	return nil
}

// Set changes how a member takes part.
func (c *Conference) Set(set Member) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.findLocked(set.ID)
	if m == nil {
		return fmt.Errorf("member %s of %s: %w", set.ID, c.name, ErrMember)
	}
	m.set = set
	return c.applyLocked()
}

// Member is how one takes part at present.
func (c *Conference) Member(id string) (Member, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if m := c.findLocked(id); m != nil {
		return m.set, nil
	}
	return Member{}, fmt.Errorf("member %s of %s: %w", id, c.name, ErrMember)
}

// Members lists who is there, in the order of coming.
func (c *Conference) Members() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var ids []string
	for _, m := range c.members {
		ids = append(ids, m.set.ID)
	}
	return ids
}

// Leave gives a leg back to its call.
func (c *Conference) Leave(id string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := slices.IndexFunc(c.members, func(m *member) bool { return m.set.ID == id })
	if at < 0 {
		return fmt.Errorf("member %s of %s: %w", id, c.name, ErrMember)
	}
	err := c.dropLocked(at)
	if len(c.members) > 0 {
		c.soundLocked(c.o.Left)
	}
	return err
}

// dropLocked takes a member out, whatever goes wrong.
func (c *Conference) dropLocked(at int) error {
	m := c.members[at]
	c.members = slices.Delete(c.members, at, at+1)
	err := m.quit()
	return errors.Join(err, c.applyLocked())
}

// SetLoudest changes how many are heard at once; 0: all.
func (c *Conference) SetLoudest(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mixer.SetLoudest(n)
}

// Talkers are those who talk at present, with their levels.
func (c *Conference) Talkers() []Talk {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []Talk
	for _, m := range c.members {
		if m.talks {
			all = append(all, Talk{m.set.ID, true, m.port.Level()})
		}
	}
	return all
}

// Listen hands the mix to a sink until stop is called.
func (c *Conference) Listen(to Sink) (stop func(), err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return nil, ErrClosed
	}
	c.sinks = append(c.sinks, to)
	return func() { c.unlisten(to) }, c.applyLocked()
}

func (c *Conference) unlisten(from Sink) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sinks = slices.DeleteFunc(c.sinks, func(s Sink) bool { return s == from })
	if err := c.applyLocked(); err != nil {
		c.bridge.log.Error("plan conference", "conference", c.name, "error", err)
	}
}

// Close gives all legs back to their calls.
func (c *Conference) Close() error {
	c.bridge.forget(c)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	c.paceLocked(false)
	var errs []error
	for _, m := range c.members {
		errs = append(errs, m.quit())
	}
	for _, s := range c.sounds {
		s.end()
	}
	c.members, c.sounds, c.sinks, c.applied = nil, nil, nil, course{}
	return errors.Join(errs...)
}

func (c *Conference) findLocked(id string) *member {
	for _, m := range c.members {
		if m.set.ID == id {
			return m
		}
	}
	return nil
}

// linear is the factor of a gain in dB.
func linear(db float64) float64 { return math.Pow(10, db/20) }
