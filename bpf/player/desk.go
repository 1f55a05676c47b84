package player

import (
	"math"
	"runtime"
	"sync/atomic"
	"unsafe"
)

const (
	rowLength = int(playerSlotLayoutROW)
	rowsOfOne = int(playerSlotLayoutROWS)
	// spareRows is room for rows that are not full: five lengths of packets have 160.
	spareRows = 256
	// mostTogether is how many streams may be due in a tick while others are left free: they
	// take half of it. It is fewer where fewer may leave at once, and leastTogether at least:
	// to begin a run takes as long as 60 packets, 180 when others had the processor's caches.
	leastTogether, mostTogether = 512, 1024
)

// burst is how many packets may leave at once if the shortest ring of an interface's
// driver holds so many; zero: there is none. Rings are emptied meanwhile.
func burst(ring int) int {
	if ring == 0 {
		return mostTogether
	}
	return min(max(ring, leastTogether), mostTogether)
}

// memory is what the player shares with its pacer and the program.
type memory struct {
	prompts []playerPrompt
	parts   []playerPart // that follow what the prompts say: a ring of them each
	pages   []byte
	reports []uint64
	slots   []playerSlot
	pace    *playerPace
}

// desk has what each stream says next, in rows that the program reads.
type desk struct {
	memory
	streams []*Stream // whose the prompts are
	free    []uint32  // rows
	slots   []slot
	seen    uint32 // of the reports
	most    int    // streams in a tick while others are left free
	turns   [longest + 1]int
}

// slot has the streams that are due at the same time.
type slot struct {
	shared *playerSlot
	holes  []uint32 // before its end; some may have been filled
	count  int
}

func newDesk(m memory, most int) desk {
	d := desk{memory: m, most: most, streams: make([]*Stream, len(m.prompts)), slots: make([]slot, len(m.slots))}
	for i := range d.slots {
		d.slots[i].shared = &m.slots[i]
	}
	for row := len(m.prompts)/rowLength - 1; row >= 0; row-- {
		d.free = append(d.free, uint32(row))
	}
	return d
}

// choose finds a tick for a stream among the coming ticks of one packet. Few streams
// share few ticks, every fifth, and more streams another fifth besides: each tick costs
// the pacers a wake-up and a run, whatever is said in it. The last quarter is left to
// those who come later, so that a packet that is sent late still leaves within its time.
func (d *desk) choose(span int, now uint64) uint64 {
	last := now + uint64(span-span/4)
	for _, fifth := range [...]uint64{0, 2, 4, 1, 3} {
		for t := now + 1; t <= last; t++ {
			if t%uint64(span)%5 == fifth && d.slots[slotAt(span, t)].count < d.most {
				return t
			}
		}
	}
	return d.spread(span, now+1, last)
}

// spread finds the tick where the fewest are due, or rather an earlier one than that
// where no more than the average are.
func (d *desk) spread(span int, first, last uint64) uint64 {
	average, best := d.turns[span]/span, first
	for t := first; t <= last; t++ {
		n := d.slots[slotAt(span, t)].count
		if n <= average {
			return t
		}
		if n < d.slots[slotAt(span, best)].count {
			best = t
		}
	}
	return best
}

// add gives a stream a place in a slot. False: there is none.
func (d *desk) add(s *Stream, to *slot) bool {
	position, ok := d.hole(to)
	end := atomic.LoadUint64(&to.shared.End)
	if !ok {
		position = uint32(end)
		if !d.lengthen(to, position) {
			return false
		}
	}
	to.count++
	d.turns[s.span]++
	s.slot, s.position, s.place, s.turns = to, position, to.place(position), 0
	d.streams[s.place] = s
	d.prompts[s.place] = playerPrompt{LegId: s.leg.ID(), LegSlot: s.leg.Slot(), Patience: uint16(int(patience/tick) / s.span)}
	if !ok {
		atomic.StoreUint64(&to.shared.End, end+1)
	}
	atomic.AddUint32(&d.pace.Streams[s.span], 1)
	return true
}

// hole takes a place in a slot that nobody has any more.
func (d *desk) hole(in *slot) (uint32, bool) {
	for len(in.holes) > 0 {
		last := len(in.holes) - 1
		position := in.holes[last]
		in.holes = in.holes[:last]
		if uint64(position) < in.shared.End && d.streams[in.place(position)] == nil {
			return position, true
		}
	}
	return 0, false
}

// lengthen sees to it that a slot has a row for the place behind its end.
func (d *desk) lengthen(to *slot, position uint32) bool {
	row, within := int(position)/rowLength, int(position)%rowLength
	if within != 0 {
		return true
	}
	if row == rowsOfOne || len(d.free) == 0 {
		return false
	}
	last := len(d.free) - 1
	to.shared.Rows[row] = d.free[last]
	d.free = d.free[:last]
	return true
}

// remove takes a stream away that has nothing left to say.
func (d *desk) remove(s *Stream) {
	from := s.slot
	d.streams[s.place], d.prompts[s.place] = nil, playerPrompt{}
	from.holes = append(from.holes, s.position)
	from.count--
	d.turns[s.span]--
	atomic.AddUint32(&d.pace.Streams[s.span], math.MaxUint32)
	end := from.shared.End
	for ; end > 0 && d.streams[from.place(uint32(end-1))] == nil; end-- {
		if (end-1)%uint64(rowLength) == 0 {
			d.free = append(d.free, from.shared.Rows[(end-1)/uint64(rowLength)])
		}
	}
	atomic.StoreUint64(&from.shared.End, end)
	if from.count == 0 {
		from.holes = nil
	}
	s.slot = nil
}

// place is where in the map of prompts a slot's place is.
func (s *slot) place(position uint32) uint32 {
	return s.shared.Rows[position/uint32(rowLength)]*uint32(rowLength) + position%uint32(rowLength)
}

// prompt is what a stream says next. It may be changed while nothing is left.
func (d *desk) prompt(s *Stream) *playerPrompt { return &d.prompts[s.place] }

// part is what the stream at a place says after so many turns.
func (m *memory) part(place uint32, turns uint8) *playerPart {
	return &m.parts[int(place)*mostAhead+int(turns)%mostAhead]
}

// told hands over the streams that were reported since it was asked last. One that is
// being reported is told of next time.
func (d *desk) told(look func(*Stream)) {
	for ; d.seen != atomic.LoadUint32(&d.pace.Reported); d.seen++ {
		report := atomic.SwapUint64(&d.reports[d.seen%uint32(len(d.reports))], 0)
		if report == 0 {
			return
		}
		place := report - 1
		atomic.StoreUint32(&d.prompts[place].Told, 0)
		if s := d.streams[place]; s != nil {
			look(s)
		}
	}
}

// claim is what a stream may say, read as one word; see struct claim.
type claim uint64

const (
	onePart   claim = 1 << 32
	allTurns  claim = 0xff << 48
	taken     claim = 0xff << 56
	anyToSay        = 1<<48 - 1
	mostAhead       = int(playerPartLayoutAHEAD)
)

// left is how many packets of the part that plays may still be said, and turns how
// many parts were begun after others so far, modulo 256.
func (c claim) left() int    { return int(uint32(c)) }
func (c claim) turns() uint8 { return uint8(c >> 48) }

// any tells whether something may still be said.
func (c claim) any() bool { return c&anyToSay != 0 }

func (p *playerPrompt) word() *uint64 { return (*uint64)(unsafe.Pointer(&p.Claim)) }

func (p *playerPrompt) claim() claim { return claim(atomic.LoadUint64(p.word())) }

func (p *playerPrompt) exchange(was, now claim) bool {
	return atomic.CompareAndSwapUint64(p.word(), uint64(was), uint64(now))
}

// give lets so many packets be said, when there is nothing to say.
func (p *playerPrompt) give(n int) { atomic.StoreUint64(p.word(), uint64(p.claim()&allTurns|claim(n))) }

// giveMore lets more be said of the part that plays. False: none are left, and the
// place in the recording is to be said anew.
func (p *playerPrompt) giveMore(n int) bool {
	for {
		was := p.claim()
		if was.left() == 0 {
			return false
		}
		if p.exchange(was, was+claim(n)) {
			return true
		}
	}
}

// giveAfter lets one more part be said after all others, which lies in the ring. False:
// nothing is left before it.
func (p *playerPrompt) giveAfter() bool {
	for {
		was := p.claim()
		if !was.any() {
			return false
		}
		if p.exchange(was, was+onePart) {
			return true
		}
	}
}

// recall takes back all that may be said, and returns what that was; when it returns
// nothing is being said.
func (p *playerPrompt) recall() (was claim) {
	for was = p.claim(); !p.exchange(was, was&(allTurns|taken)); was = p.claim() {
	}
	for p.claim()&taken != 0 { // for as long as a packet takes
		runtime.Gosched()
	}
	return was
}
