package player

import (
	"errors"
	"sync/atomic"

	"mcp/bpf"
	"mcp/bpf/ktime"
)

// portable sends packets from userspace. It does what the program does, with the
// player held: its pacer is no process of its own.
type portable struct {
	shared memory
	player *Player
	batch  *bpf.Batch
	added  []uint32         // the places of those in the batch
	errs   map[uint32]error // why packets did not leave last, by place
}

func newPortable(plane *bpf.Plane, r room) *portable {
	return &portable{batch: plane.NewBatch(), errs: make(map[uint32]error), shared: memory{
		prompts: make([]playerPrompt, r.prompts), parts: make([]playerPart, r.prompts*mostAhead), pages: make([]byte, r.pages*pageBytes), reports: make([]uint64, r.prompts),
		slots: make([]playerSlot, playerSlotLayoutSLOTS), pace: &playerPace{},
	}}
}

func (o *portable) memory() memory { return o.shared }

func (o *portable) refusal(place uint32) error { return o.errs[place] }

func (o *portable) burst() int { return leastTogether }

func (o *portable) send(t turn) error {
	o.player.mu.Lock()
	defer o.player.mu.Unlock()
	o.shared.pace.NowNs = ktime.Now()
	slot := &o.player.desk.slots[t.slot()]
	for left := min(t.left(), uint32(slot.shared.End)); left > 0; left-- {
		place := slot.place(left - 1)
		p := &o.shared.prompts[place]
		if !p.claim().any() {
			continue
		}
		o.claim(place)
		packet := o.packet(p)
		o.turnOver(p)
		if p.Muted != 0 {
			o.note(place, false, nil)
			continue
		}
		if err := o.batch.Add(o.player.desk.streams[place].leg, packet); err != nil {
			o.note(place, false, err)
			continue
		}
		o.added = append(o.added, place)
		if o.batch.Full() {
			o.flush()
		}
	}
	o.flush()
	atomic.StoreUint64(&o.shared.pace.Turn, uint64(turnOf(t.tick(), t.slot(), 0)))
	return nil
}

// claim takes the next packet of a stream, as the program does.
func (o *portable) claim(place uint32) {
	p := &o.shared.prompts[place]
	if p.Claim.Left == 0 {
		part := o.shared.part(place, p.Claim.Turns)
		part.BegunNs = o.shared.pace.NowNs
		p.Page, p.Offset, p.Turned = part.Page, part.Offset, part.Tell
		p.Claim.Left = part.Packets
		p.Claim.Parts--
		p.Claim.Turns++
	}
	p.Claim.Left--
}

func (o *portable) packet(p *playerPrompt) bpf.Packet {
	from := int(p.Page)*pageBytes + int(p.Offset)
	return bpf.Packet{
		PayloadType: p.Type, Marker: p.Marker != 0, Ticks: uint32(p.Ticks), Data: o.shared.pages[from : from+int(p.Length)],
	}
}

// flush sends what is in the batch.
func (o *portable) flush() {
	reasons := make(map[int]error)
	o.batch.Flush(func(n int, err error) { reasons[n] = err })
	for n, place := range o.added {
		o.note(place, reasons[n] == nil, reasons[n])
	}
	o.added = o.added[:0]
}

func (o *portable) close() error { return nil }

// turnOver goes on in the recording, as the program does.
func (o *portable) turnOver(p *playerPrompt) {
	p.Offset += p.Length
	if int(p.Offset) >= pageOwn {
		p.Offset -= uint16(pageOwn)
		p.Page = nextPage(o.shared.pages[int(p.Page)*pageBytes:])
	}
}

// note counts a packet, and has the player look at what it must know, as the program does.
func (o *portable) note(place uint32, gone bool, err error) {
	p, pace := &o.shared.prompts[place], o.shared.pace
	dry := !p.claim().any()
	look := p.Turned != 0 || dry || p.Claim.Parts == 0 && p.Claim.Left == uint32(p.Low)
	p.Marker, p.Turned = 1, 0
	switch {
	case gone:
		p.Marker, p.Refused = 0, 0
		pace.Said++
	case err != nil:
		pace.Refused++
		p.Refused++
		if isUnheard(err) {
			p.Refused = 0
		}
		look = look || p.Refused == p.Patience
		o.errs[place] = err
	}
	if p.Tell != 0 {
		p.Tell, p.BegunNs, look = 0, pace.NowNs, true
	}
	if dry {
		p.DryNs = pace.NowNs
	}
	if look && p.Told == 0 {
		p.Told = 1
		o.shared.reports[pace.Reported%uint32(len(o.shared.reports))] = uint64(place) + 1
		atomic.AddUint32(&pace.Reported, 1)
	}
}

// isUnheard tells that nobody is to hear the stream now, which is no trouble.
func isUnheard(err error) bool {
	var refusal *bpf.DropError
	return errors.As(err, &refusal) && refusal.Unheard()
}
