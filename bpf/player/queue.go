package player

import "time"

// item is a clip to be played.
type item struct {
	clip    *Clip
	from    int // octets
	repeat  int
	live    bool
	mark    any
	started bool
}

// progress is how far a stream has come in its queue.
type progress struct {
	at      int       // how much of the first was said before what is granted, in octets
	granted int       // packets of it that leave without being looked at
	ahead   int       // parts that are granted after those
	turns   uint8     // parts that were begun after others when it was looked at last
	over    time.Time // when the last packet of what was granted has been heard
	telling bool      // the clip that plays has not begun to be heard
}

// spot is a place in a queue.
type spot struct {
	item   int
	at     int // octets
	repeat int // how often the clip is said after this time
}

func (s *Stream) audio(item int) *audio { return s.queue[item].clip.audio.Load() }

// size is that of a packet, in octets.
func (s *Stream) size(f Format) int { return f.Rate * s.span / int(time.Second/tick) }

func (s *Stream) packets(at spot) int {
	return s.audio(at.item).packets(at.at, s.size(s.queue[at.item].clip.format))
}

func (s *Stream) spot() spot { return spot{at: s.at, repeat: s.queue[0].repeat} }

// after is where a stream goes on that has said a clip to its end. False: nowhere, or
// it is not known yet how long that is.
func (s *Stream) after(at spot) (spot, bool) {
	for {
		if at.repeat != 0 && s.audio(at.item).length > 0 {
			at.at, at.repeat = 0, less(at.repeat)
		} else if at.item++; at.item < len(s.queue) {
			at.at, at.repeat = s.queue[at.item].from, s.queue[at.item].repeat
		} else {
			return at, false
		}
		if !s.audio(at.item).ended || s.queue[at.item].clip.format != s.queue[0].clip.format {
			return at, false
		}
		if s.packets(at) > 0 {
			return at, true
		}
	}
}

// less is how often a clip is to be repeated that was repeated once.
func less(repeat int) int {
	if repeat < 0 {
		return repeat
	}
	return repeat - 1
}

// aheadLocked lets a stream go on with what comes after the clip that plays, so that
// nobody need look at it in time. What is still being written is not known to the end,
// and nothing is granted after it.
func (p *Player) aheadLocked(s *Stream) {
	at := s.spot()
	if !s.audio(0).ended || s.granted < s.packets(at) {
		return
	}
	for n := range mostAhead {
		next, ok := s.after(at)
		if !ok {
			return
		}
		if n == s.ahead {
			other := next.item != at.item
			if !p.grantAfterLocked(s, next, other) {
				return // it has said all, and is going to be looked at
			}
		}
		at = next
	}
}

// grantAfterLocked grants the next part. Of a clip that is repeated only some are told.
func (p *Player) grantAfterLocked(s *Stream, at spot, tell bool) bool {
	turn := s.turns + uint8(s.ahead)
	part := p.desk.part(s.place, turn)
	*part = playerPart{
		Page: s.audio(at.item).pages[at.at/pageOwn], Offset: uint16(at.at % pageOwn), Packets: uint32(s.packets(at)),
	}
	if tell || int(turn)%(mostAhead/2) == 0 {
		part.Tell = 1
	}
	if !p.desk.prompt(s).giveAfter() {
		return false
	}
	s.ahead++
	return true
}

// turnedLocked goes on to the part that a stream has turned to by itself.
func (p *Player) turnedLocked(s *Stream, c claim) {
	if s.turns == c.turns() {
		return
	}
	p.startedLocked(s)
	for ; s.turns != c.turns(); s.turns++ {
		next, _ := s.after(s.spot()) // it was granted
		s.at += s.granted * int(p.desk.prompt(s).Length)
		for range next.item {
			p.finishLocked(s, s.audio(0).err)
		}
		first := &s.queue[0]
		s.at, first.repeat = next.at, next.repeat
		s.granted = s.packets(s.spot())
		s.ahead--
		if !first.started {
			first.started = true
			p.events.add(s, Event{Kind: Started, Mark: first.mark, At: p.plane.Clock().Time(p.desk.part(s.place, s.turns).BegunNs)})
		}
	}
}

// finishLocked ends the clip that plays and begins the next.
func (p *Player) finishLocked(s *Stream, err error) {
	first := &s.queue[0]
	p.events.add(s, Event{Kind: Finished, Mark: first.mark, Offset: first.clip.time(s.at), Err: err})
	p.store.release(first.clip)
	n := copy(s.queue, s.queue[1:])
	s.queue[n] = item{}
	s.queue, s.at = s.queue[:n], 0
	if n > 0 {
		s.at = s.queue[0].from
	}
}

// saidOf is how much of the first in the queue was said, in octets, if so much is left of
// what was granted.
func (s *Stream) saidOf(c claim) int {
	return s.at + (s.granted-c.left())*s.size(s.queue[0].clip.format)
}

// positionLocked is the mark of the clip that plays, and how much of it was said.
func (p *Player) positionLocked(s *Stream) (mark any, offset time.Duration) {
	at := s.at
	if s.slot != nil {
		c := p.desk.prompt(s).claim()
		p.turnedLocked(s, c)
		at = s.saidOf(c)
	}
	return s.queue[0].mark, s.queue[0].clip.time(at)
}

// lead is what is awaited besides the next packet.
func (s *Stream) lead(i *item) int {
	if i.live && s.marker {
		return octets(i.clip, 60*time.Millisecond)
	}
	return 0
}

// packets is how many there are from a place on; the last of a whole clip is filled up.
func (a *audio) packets(at, size int) int {
	there := a.length - at
	if a.ended {
		there += size - 1
	}
	return max(0, there/size)
}

func octets(c *Clip, offset time.Duration) int {
	return int(max(0, offset) * time.Duration(c.format.Rate) / time.Second)
}

// time is how long so many octets take, without the silence that filled up the last packet.
func (c *Clip) time(said int) time.Duration {
	return time.Duration(min(said, c.Octets())) * time.Second / time.Duration(c.format.Rate)
}
