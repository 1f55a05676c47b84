package player

import (
	"fmt"
	"time"

	"mcp/bpf"
)

const (
	minPtime = 10 * time.Millisecond
	maxPtime = 60 * time.Millisecond
)

// StreamConfig describes what a leg's far end is to hear.
type StreamConfig struct {
	Ptime       time.Duration // of a packet; 20 ms if zero
	PayloadType uint8
	// Notify is told what becomes of what is played, in order. It may play more, but
	// must not block. It may be nil.
	Notify func(Event)
}

// Stream plays clips to a leg, one after the other. Methods may be called from any
// goroutine.
type Stream struct {
	player *Player
	leg    *bpf.Leg
	notify func(Event)
	span   int // of a packet, in ticks

	// What follows is guarded by the player's lock.
	payloadType uint8
	muted       bool
	paused      bool
	marker      bool // something is missing before the next packet
	queue       []item
	waiting     bool // it is among those that are looked at again
	progress
	seat // slot is nil: it does not play
}

// seat is where a stream is that plays: in the slot of when its packets are due.
type seat struct {
	slot     *slot
	position uint32 // in the slot
	place    uint32 // at the desk
}

// Options say how a clip is played. The zero value plays it once.
type Options struct {
	From   time.Duration // where it begins
	Repeat int           // how often more; negative: until it is stopped
	// Live: it is written for this stream alone, as fast as it is spoken. After a gap
	// more than a packet is awaited, so that it does not stutter, and what was said is
	// forgotten.
	Live bool
	Mark any // what its events carry
}

// NewStream makes a stream for a leg of the player's plane. Nothing else should
// send to the leg's far end while it plays. Stop it when it is not wanted any more.
func (p *Player) NewStream(leg *bpf.Leg, c StreamConfig) (*Stream, error) {
	if c.Ptime == 0 {
		c.Ptime = 20 * time.Millisecond
	}
	if c.Ptime < minPtime || c.Ptime > maxPtime || c.Ptime%tick != 0 {
		return nil, fmt.Errorf("play to leg %s: %w, not %s", leg.Local(), ErrPtime, c.Ptime)
	}
	return &Stream{
		player: p, leg: leg, notify: c.Notify, span: int(c.Ptime / tick),
		payloadType: c.PayloadType, marker: true,
	}, nil
}

// Play queues a clip. The first packet of one that need not wait leaves within the
// time of a packet. ErrCrowded: too many play already.
func (s *Stream) Play(c *Clip, o Options) error {
	p := s.player
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return ErrClosed
	}
	if len(s.queue) > 0 && s.queue[0].clip.format != c.format {
		return fmt.Errorf("play to leg %s: %w: %s after %s", s.leg.Local(), ErrFormat, c.format.Name, s.queue[0].clip.format.Name)
	}
	p.store.use(c)
	s.queue = append(s.queue, item{clip: c, from: octets(c, o.From), repeat: o.Repeat, live: o.Live, mark: o.Mark})
	if len(s.queue) == 1 {
		s.at = s.queue[0].from
	}
	if err := p.joinLocked(s); err != nil {
		p.stopLocked(s)
		return err
	}
	return nil
}

// Stop ends what plays and forgets what is queued: no packet leaves after it
// returns.
func (s *Stream) Stop() {
	s.player.mu.Lock()
	defer s.player.mu.Unlock()
	s.player.stopLocked(s)
}

func (p *Player) stopLocked(s *Stream) {
	p.leaveLocked(s)
	for _, i := range s.queue {
		p.store.release(i.clip)
	}
	s.queue, s.at, s.marker, s.paused = nil, 0, true, false
}

// Pause holds back what plays, until Resume.
func (s *Stream) Pause() {
	s.player.mu.Lock()
	defer s.player.mu.Unlock()
	s.paused, s.marker = true, true
	s.player.leaveLocked(s)
}

// Resume goes on after Pause. If too many play by now, the stream fails.
func (s *Stream) Resume() {
	p := s.player
	p.mu.Lock()
	defer p.mu.Unlock()
	s.paused = false
	if err := p.joinLocked(s); err != nil {
		p.failLocked(s, err)
	}
}

// Seek goes on from another place in the clip that plays.
func (s *Stream) Seek(offset time.Duration) {
	s.player.mu.Lock()
	defer s.player.mu.Unlock()
	s.player.recallLocked(s)
	if len(s.queue) > 0 {
		s.at, s.marker = octets(s.queue[0].clip, offset), true
		s.player.lookLocked(s)
	}
}

// Position is the mark of the clip that plays, and how much of it has been said.
// False: nothing plays.
func (s *Stream) Position() (mark any, offset time.Duration, ok bool) {
	s.player.mu.Lock()
	defer s.player.mu.Unlock()
	if len(s.queue) == 0 {
		return nil, 0, false
	}
	mark, offset = s.player.positionLocked(s)
	return mark, offset, true
}

// Configure follows what was agreed with the far end. Muted: time goes on, but
// nothing is sent.
func (s *Stream) Configure(payloadType uint8, muted bool) {
	s.player.mu.Lock()
	defer s.player.mu.Unlock()
	s.player.recallLocked(s)
	s.payloadType, s.muted = payloadType, muted
	s.player.lookLocked(s)
}

// Recode goes on, where it is, with the same recording in another format.
func (s *Stream) Recode(c *Clip) {
	s.player.mu.Lock()
	defer s.player.mu.Unlock()
	if len(s.queue) == 0 {
		return
	}
	s.player.recallLocked(s)
	was := s.queue[0].clip
	s.player.store.use(c)
	s.at = s.at * c.format.Rate / was.format.Rate
	s.queue[0].clip = c
	s.player.store.release(was)
	s.player.lookLocked(s)
}
