package recent

import "encoding/binary"

// tape holds the events of a call: the first half of those that there is room for, and
// the latest.
type tape struct {
	most          int
	first, latest strip
	missed        int // steps that there is no room for
}

func (t *tape) add(e Event) {
	if t.first.events < t.most/2 {
		t.first.add(e)
		return
	}
	if t.latest.events == t.most/2 && !t.latest.drop() {
		t.missed++
	}
	t.latest.add(e)
}

func (t *tape) all() []Event {
	return t.latest.list(t.first.list(make([]Event, 0, t.first.events+t.latest.events)))
}

// sortBits is how many what an event is takes, beside its offset.
const sortBits = 2

// strip is events one behind the other, as octets: in those of all calls that are up the
// collector of garbage finds nothing to follow, and a text that was part of a message
// does not keep the message.
type strip struct {
	octets []byte
	from   int // where the first event begins; what is before is dropped
	events int
}

func (s *strip) add(e Event) {
	b := binary.AppendVarint(s.octets, e.Offset<<sortBits|int64(e.sort))
	b = append(binary.AppendUvarint(b, uint64(len(e.Name))), e.Name...)
	s.octets = append(binary.AppendUvarint(b, uint64(len(e.Text))), e.Text...)
	s.events++
}

// drop lets go of the first event, and tells whether it was only shown.
func (s *strip) drop() bool {
	first := next(s.octets[s.from:])
	s.from = len(s.octets) - len(first.rest)
	s.events--
	if s.from > len(s.octets)/2 { // its room is for what comes
		s.octets, s.from = append(s.octets[:0], first.rest...), 0
	}
	return first.sort == shown
}

func (s *strip) list(after []Event) []Event {
	for b := s.octets[s.from:]; len(b) > 0; {
		e := next(b)
		after = append(after, Event{Offset: e.offset, Name: string(e.name), Text: string(e.text), sort: e.sort})
		b = e.rest
	}
	return after
}

// read is an event on a strip, and what is behind it.
type read struct {
	offset     int64
	sort       sort
	name, text []byte
	rest       []byte
}

// next reads the event that begins the octets.
func next(b []byte) (e read) {
	head, n := binary.Varint(b)
	e.offset, e.sort = head>>sortBits, sort(head&(1<<sortBits-1))
	e.name, b = text(b[n:])
	e.text, e.rest = text(b)
	return e
}

func text(b []byte) (one, rest []byte) {
	length, n := binary.Uvarint(b)
	end := n + int(length)
	return b[n:end], b[end:]
}
