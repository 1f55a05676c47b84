package reporting

import "sync"

// pad holds the notes of a roster until they are written.
type pad struct {
	some chan struct{} // has one while there are notes

	mu   sync.Mutex
	page page
	room *sync.Cond // there is some again, or nothing is written any more
	shut bool
}

func newPad() *pad {
	p := &pad{some: make(chan struct{}, 1)}
	p.room = sync.NewCond(&p.mu)
	return p
}

// put adds a note. Where there is no room that of an end waits for it, and others are
// left out.
func (p *pad) put(e *entry) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.page.entries) >= laneRoom && len(e.note.Ended) > 0 && !p.shut {
		p.room.Wait()
	}
	if len(p.page.entries) >= laneRoom || p.shut {
		return
	}
	p.page.entries = append(p.page.entries, *e)
	select {
	case p.some <- struct{}{}:
	default:
	}
}

// take turns the page: the notes so far for an empty one.
func (p *pad) take(empty page) page {
	p.mu.Lock()
	defer p.mu.Unlock()
	full := p.page
	p.page = empty
	p.room.Broadcast()
	return full
}

// close has nobody wait for room any more.
func (p *pad) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shut = true
	p.room.Broadcast()
}

// page is notes, and room for their JSON.
type page struct {
	entries []entry
	json    encoder
}

// entry is a note with the call that it is of, if any, in place of a pointer to it: they
// are many, for a moment each.
type entry struct {
	note note
	call Record
	past bool // a later note says it again
}

// mostEntries is how many notes the largest page has that is used again.
const mostEntries = 2 * maxTogether

// wiped is an empty page.
func (p *page) wiped() page {
	if len(p.entries) > mostEntries {
		return page{}
	}
	clear(p.entries)
	return page{p.entries[:0], encoder{b: p.json.b[:0]}}
}

// encode is the JSON of a note, which is good until the page is wiped.
func (p *page) encode(e *entry) ([]byte, error) {
	n, begin := e.note, len(p.json.b)
	if e.call.ID != "" {
		n.Call = &e.call
	}
	p.json.note(&n)
	b, err := p.json.result()
	if err != nil {
		p.json = encoder{b: p.json.b[:begin]}
		return nil, err
	}
	return b[begin:], nil
}
