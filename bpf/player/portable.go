package player

import "mcp/bpf"

// listLength is what the kernel's list has, too.
const listLength = 8192

// portable sends packets from userspace.
type portable struct {
	list  []playerDue
	pages []byte
	batch *bpf.Batch
	added []int // which of the list are in the batch
}

func newPortable(plane *bpf.Plane, pages int) *portable {
	return &portable{
		list: make([]playerDue, listLength), pages: make([]byte, pages*pageBytes), batch: plane.NewBatch(),
	}
}

func (o *portable) memory() ([]playerDue, []byte) { return o.list, o.pages }

func (o *portable) send(streams []*Stream, refused func(i int, err error)) (handed int) {
	for i, s := range streams {
		due := &o.list[i]
		from := int(due.Page)*pageBytes + int(due.Offset)
		err := o.batch.Add(s.leg, bpf.Packet{
			PayloadType: due.Type, Marker: due.Marker != 0, Ticks: due.Ticks,
			Data: o.pages[from : from+int(due.Length)],
		})
		if err != nil {
			refused(i, err)
			continue
		}
		o.added = append(o.added, i)
		if o.batch.Full() {
			o.flush(refused)
		}
	}
	o.flush(refused)
	return 0
}

func (o *portable) flush(refused func(i int, err error)) {
	o.batch.Flush(func(n int, err error) { refused(o.added[n], err) })
	o.added = o.added[:0]
}

func (o *portable) close() error { return nil }
