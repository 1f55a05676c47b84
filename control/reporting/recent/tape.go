package recent

import "encoding/binary"

// tape holds the events of a call: the first half of those that there is room for, and
// the latest.
type tape struct {
	first, latest strip
	missed        int
}

func (t *tape) add(offset int64, name, text string) {
	if t.first.events < maxEvents/2 {
		t.first.add(offset, name, text)
		return
	}
	if t.latest.events == maxEvents/2 {
		t.latest.drop()
		t.missed++
	}
	t.latest.add(offset, name, text)
}

func (t *tape) all() []Event {
	return t.latest.list(t.first.list(make([]Event, 0, t.first.events+t.latest.events)))
}

// strip is events one behind the other, as octets: in those of all calls that are up the
// collector of garbage finds nothing to follow, and a text that was part of a message
// does not keep the message.
type strip struct {
	octets []byte
	events int
}

func (s *strip) add(offset int64, name, text string) {
	b := binary.AppendVarint(s.octets, offset)
	b = append(binary.AppendUvarint(b, uint64(len(name))), name...)
	s.octets = append(binary.AppendUvarint(b, uint64(len(text))), text...)
	s.events++
}

// drop lets go of the first.
func (s *strip) drop() {
	_, s.octets = offset(s.octets)
	_, s.octets = text(s.octets)
	_, s.octets = text(s.octets)
	s.events--
}

func (s *strip) list(after []Event) []Event {
	for b := s.octets; len(b) > 0; {
		var e Event
		var name, said []byte
		e.Offset, b = offset(b)
		name, b = text(b)
		said, b = text(b)
		e.Name, e.Text = string(name), string(said)
		after = append(after, e)
	}
	return after
}

// offset and text take one of what an event is made of from where it begins.
func offset(b []byte) (ms int64, rest []byte) {
	ms, n := binary.Varint(b)
	return ms, b[n:]
}

func text(b []byte) (one, rest []byte) {
	length, n := binary.Uvarint(b)
	end := n + int(length)
	return b[n:end], b[end:]
}
