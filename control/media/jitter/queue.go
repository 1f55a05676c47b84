package jitter

// fate is what became of a packet.
type fate uint8

const (
	stored fate = iota
	late        // it is there already, or was
	missed      // something stood in for it
	anew        // it begins another stream
)

// queue sorts packets.
type queue struct {
	begun bool
	ssrc  uint32
	turn  uint16 // of the sequence number that is played next
	slots [places]slot
	held  int
}

type slot struct {
	full    bool
	skipped bool // its packet had not come in its turn
	payload []byte
}

func (q *queue) len() int { return q.held }

// put keeps a packet until its turn.
func (q *queue) put(p Packet) fate {
	ahead := int(int16(p.Sequence - q.turn))
	what := stored
	switch {
	case !q.begun || p.SSRC != q.ssrc || ahead <= -reorder || ahead >= places:
		q.restart(p)
		what = anew
	case ahead < 0:
		if s := &q.slots[p.Sequence%places]; s.skipped && ahead > -places {
			s.skipped = false
			return missed
		}
		return late
	}
	s := &q.slots[p.Sequence%places]
	if s.full {
		return late
	}
	s.full, s.skipped, s.payload = true, false, append(s.payload[:0], p.Payload...)
	q.held++
	return what
}

func (q *queue) restart(p Packet) {
	q.begun, q.ssrc, q.turn, q.held = true, p.SSRC, p.Sequence, 0
	for i := range q.slots {
		q.slots[i].full, q.slots[i].skipped = false, false
	}
}

// next takes the packet whose turn it is; nil: it is not there, and so many are
// missing before the first that is.
func (q *queue) next() (payload []byte, missing int) {
	if q.held == 0 {
		return nil, 0
	}
	for !q.slots[q.turn%places].full {
		q.slots[q.turn%places].skipped = true
		q.turn++
		missing++
	}
	if missing > 0 {
		return nil, missing
	}
	s := &q.slots[q.turn%places]
	s.full = false
	q.held--
	q.turn++
	return s.payload, 0
}
