package player

import "mcp/bpf"

// portable sends packets from userspace.
type portable struct {
	prompts []playerPrompt
	pages   []byte
	batch   *bpf.Batch
	added   []uint32 // the places of those in the batch
}

func newPortable(plane *bpf.Plane, r room) *portable {
	return &portable{
		prompts: make([]playerPrompt, r.prompts), pages: make([]byte, r.pages*pageBytes), batch: plane.NewBatch(),
	}
}

func (o *portable) memory() ([]playerPrompt, []byte) { return o.prompts, o.pages }

func (o *portable) send(d *desk, rows []uint32, streams int, look func(place uint32, err error)) (s sent) {
	flush := func() {
		refused := o.flush(d, look)
		s.packets += len(o.added) - refused
		o.added = o.added[:0]
	}
	for i := range streams {
		place := placeIn(rows, i)
		p := &d.prompts[place]
		if p.Left == 0 {
			continue
		}
		if err := o.batch.Add(d.streams[place].leg, o.packet(p)); err != nil {
			p.pass(false)
			look(place, err)
			continue
		}
		o.added = append(o.added, place)
		if o.batch.Full() {
			flush()
		}
	}
	flush()
	return s
}

func (o *portable) packet(p *playerPrompt) bpf.Packet {
	from := int(p.Page)*pageBytes + int(p.Offset)
	return bpf.Packet{
		PayloadType: p.Type, Marker: p.Marker != 0, Ticks: uint32(p.Ticks), Data: o.pages[from : from+int(p.Length)],
	}
}

// flush sends what is in the batch, and counts what was refused.
func (o *portable) flush(d *desk, look func(place uint32, err error)) (refused int) {
	reasons := make(map[int]error)
	o.batch.Flush(func(n int, err error) { reasons[n] = err })
	for n, place := range o.added {
		p, err := &d.prompts[place], reasons[n]
		p.pass(err == nil)
		if err != nil || p.Left == 0 {
			look(place, err)
		}
	}
	return len(reasons)
}

func (o *portable) close() error { return nil }
