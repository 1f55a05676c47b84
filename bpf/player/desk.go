package player

const (
	rowLength = int(playerRunLayoutROW)
	rowsOfRun = int(playerRunLayoutROWS)
	// spareRows is room for rows that are not full: five lengths of packets have 160.
	spareRows = 256
)

// desk has what each stream says next, in rows that a sender reads.
type desk struct {
	prompts []playerPrompt // in the sender's memory
	streams []*Stream      // whose they are
	free    []uint32       // rows
	looks   []look         // that the slot which was sent needs
}

func newDesk(prompts []playerPrompt) desk {
	d := desk{prompts: prompts, streams: make([]*Stream, len(prompts))}
	for row := len(prompts)/rowLength - 1; row >= 0; row-- {
		d.free = append(d.free, uint32(row))
	}
	return d
}

// placeIn is the place of a stream in rows.
func placeIn(rows []uint32, n int) uint32 {
	return rows[n/rowLength]*uint32(rowLength) + uint32(n%rowLength)
}

// last is the place of a slot's last stream.
func (s *slot) last() uint32 { return placeIn(s.rows, s.count-1) }

// pass goes on after a packet, whether it left or not, as the program does.
func (p *playerPrompt) pass(left bool) {
	p.Offset += p.Length
	p.Left--
	if left {
		p.Marker, p.Refused = 0, 0
		return
	}
	p.Marker = 1
	p.Refused++
}

// add gives a stream a place in a slot. False: there is none.
func (d *desk) add(s *Stream, to *slot) bool {
	if to.count == len(to.rows)*rowLength {
		if len(d.free) == 0 {
			return false
		}
		last := len(d.free) - 1
		to.rows = append(to.rows, d.free[last])
		d.free = d.free[:last]
	}
	to.count++
	s.slot, s.place = to, to.last()
	d.streams[s.place] = s
	d.prompts[s.place] = playerPrompt{LegId: s.leg.ID(), Slot: s.leg.Slot()}
	return true
}

// remove takes a stream away; the last of its slot takes its place.
func (d *desk) remove(s *Stream) {
	from := s.slot
	last := from.last()
	if last != s.place {
		d.prompts[s.place] = d.prompts[last]
		d.streams[s.place] = d.streams[last]
		d.streams[s.place].place = s.place
	}
	d.streams[last], d.prompts[last] = nil, playerPrompt{}
	from.count--
	if rows := len(from.rows) - 1; from.count == rows*rowLength {
		d.free = append(d.free, from.rows[rows])
		from.rows = from.rows[:rows]
	}
	s.slot = nil
}

// prompt is what a stream says next. It may be changed while nothing is sent.
func (d *desk) prompt(s *Stream) *playerPrompt { return &d.prompts[s.place] }

// ask has userspace look at a stream before it goes on.
func (s *Stream) ask() {
	if s.asking < 0 {
		s.asking = len(s.slot.asks)
		s.slot.asks = append(s.slot.asks, s)
	}
}

// answered ends that.
func (s *Stream) answered() {
	if s.asking < 0 {
		return
	}
	asks := s.slot.asks
	last := len(asks) - 1
	asks[s.asking] = asks[last]
	asks[s.asking].asking = s.asking
	asks[last] = nil
	s.slot.asks = asks[:last]
	s.asking = -1
}
