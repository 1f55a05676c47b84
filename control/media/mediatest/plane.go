// Package mediatest is a media plane in memory: what far ends say is handed to
// legs at once, and what legs send is kept, stamped as on the wire. It lets tests
// judge audio without sockets and without waiting.
package mediatest

import (
	"errors"
	"net/netip"
	"sync"
	"time"

	"mcp/control/media"
	"mcp/control/media/codec"
	"mcp/control/media/rtpstream"
)

// Plane implements media.Plane.
type Plane struct {
	mu   sync.Mutex // guards what follows, and all that legs hold
	legs map[netip.AddrPort]*leg
	next uint64
}

// NewPlane makes a plane without legs.
func NewPlane() *Plane { return &Plane{legs: map[netip.AddrPort]*leg{}} }

// Mode implements media.Plane.
func (p *Plane) Mode() string { return "memory" }

// Reason implements media.Plane.
func (p *Plane) Reason() string { return "test" }

// Close implements media.Plane.
func (p *Plane) Close() error { return nil }

// Open implements media.Plane.
func (p *Plane) Open(c media.LegConfig) (media.PlaneLeg, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.legs[c.Local] != nil {
		return nil, media.ErrPortTaken
	}
	p.next++
	l := &leg{plane: p, id: p.next, config: c, egress: rtpstream.NewEgress(uint16(c.SSRC), c.SSRC)}
	p.legs[c.Local] = l
	return l, nil
}

// leg implements media.PlaneLeg.
type leg struct {
	plane  *Plane
	id     uint64
	config media.LegConfig
	far    media.FarEnd
	route  media.Route
	turn   uint8 // counts to whom else it was routed
	egress rtpstream.Egress
	sent   []Packet
	stats  media.LegStats
	closed bool
}

// Packet is one that left a leg.
type Packet struct {
	rtpstream.Header
	Payload []byte
	Relayed bool // from another leg, by the plane
}

var errClosed = errors.New("leg is closed")

// Connect implements media.PlaneLeg.
func (l *leg) Connect(f media.FarEnd) error {
	l.plane.mu.Lock()
	defer l.plane.mu.Unlock()
	l.far = f
	return nil
}

// Route implements media.PlaneLeg.
func (l *leg) Route(r media.Route) error {
	l.plane.mu.Lock()
	defer l.plane.mu.Unlock()
	if r.To != nil && r.To != l.route.To {
		l.turn++
	}
	l.route = r
	return nil
}

// Send implements media.PlaneLeg.
func (l *leg) Send(p media.Payload) error {
	l.plane.mu.Lock()
	defer l.plane.mu.Unlock()
	if l.closed {
		return errClosed
	}
	stamp := l.egress.Own(p.Marker, rtpstream.Frame{Now: time.Now(), Ticks: p.Samples, Rate: l.far.ClockRate})
	stamp.Marker = stamp.Marker && !l.isNoise(p.PayloadType)
	l.leaveLocked(Packet{
		Header:  rtpstream.Header{Stamp: stamp, Type: p.PayloadType, SSRC: l.config.SSRC},
		Payload: append([]byte(nil), p.Data...),
	})
	return nil
}

func (l *leg) isNoise(kind uint8) bool { return l.far.Noise != 0 && kind == l.far.Noise }

func (l *leg) leaveLocked(p Packet) {
	l.sent = append(l.sent, p)
	l.stats.TxPackets++
	if p.Relayed {
		l.stats.TxRelayed++
	}
}

// SendRTCP implements media.PlaneLeg.
func (l *leg) SendRTCP([]byte) error { return nil }

// Stats implements media.PlaneLeg.
func (l *leg) Stats() (media.LegStats, error) {
	l.plane.mu.Lock()
	defer l.plane.mu.Unlock()
	return l.stats, nil
}

// Close implements media.PlaneLeg.
func (l *leg) Close(func(media.LegStats)) (media.LegStats, error) {
	l.plane.mu.Lock()
	defer l.plane.mu.Unlock()
	l.closed = true
	delete(l.plane.legs, l.config.Local)
	return l.stats, nil
}

// Far is a far end: it says and hears audio in its codec.
type Far struct {
	leg     *leg
	codec   codec.Codec
	header  rtpstream.Header
	encoder codec.Encoder
}

// Connect connects a leg of the plane to a new far end.
func (p *Plane) Connect(l *media.Leg, c codec.Codec, ptime time.Duration) (*Far, error) {
	e, err := codec.NewEncoder(c)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	at := p.legs[l.Local()]
	p.mu.Unlock()
	f := &Far{leg: at, codec: c, encoder: e, header: rtpstream.Header{Type: c.PayloadType, SSRC: uint32(at.id)}}
	return f, l.Connect(media.FarEnd{
		RTP: netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), uint16(4000+2*at.id)), PayloadType: c.PayloadType,
		Events: 101, ClockRate: c.ClockRate, Ptime: ptime, Send: true, Receive: true,
	}, c)
}

// Say sends one packet of linear samples, at the codec's rate, to the leg.
func (f *Far) Say(pcm []int16) error {
	payload, err := f.encoder.Encode(nil, pcm)
	if err != nil {
		return err
	}
	return f.Send(payload, f.codec.Ticks(payload))
}

// Noise has the far end agree to comfort noise (RFC 3389).
func (f *Far) Noise(l *media.Leg) error {
	far := f.leg.far
	far.Noise = noiseType
	return l.Connect(far, f.codec)
}

// Hush begins a silence by a packet of comfort noise. Ticks later, the far end goes on.
func (f *Far) Hush(payload []byte, ticks uint32) {
	f.header.Sequence++
	h := f.header
	h.Type = noiseType
	f.header.Timestamp += ticks
	f.leg.arrive(h, payload)
}

// noiseType is the payload type of comfort noise.
const noiseType = 13

// Lose lets a packet of so many ticks get lost.
func (f *Far) Lose(ticks uint32) {
	f.header.Sequence++
	f.header.Timestamp += ticks
}

// Key presses a key: the packets of one telephone-event (RFC 4733).
func (f *Far) Key(event uint8) {
	h := f.header
	h.Type, h.Marker = 101, true
	for _, end := range []byte{0, 0x80} {
		f.header.Sequence++
		h.Sequence = f.header.Sequence
		f.leg.arrive(h, []byte{event, end, 3, 32})
	}
	f.header.Timestamp += 800
}

// Send sends one payload to the leg.
func (f *Far) Send(payload []byte, ticks uint32) error {
	f.header.Sequence++
	h := f.header
	f.header.Timestamp += ticks
	f.leg.arrive(h, payload)
	return nil
}

// arrive takes a packet as a plane does.
func (l *leg) arrive(h rtpstream.Header, payload []byte) {
	l.plane.mu.Lock()
	if l.closed {
		l.plane.mu.Unlock()
		return
	}
	route, event := l.route, int(h.Type) == l.far.Events
	l.stats.RxPackets++
	l.stats.RxAt = time.Now()
	if to, ok := route.To.(*leg); ok && !event && !to.closed {
		l.stats.RxRelayed++
		kind := to.far.PayloadType
		if l.isNoise(h.Type) {
			kind = to.far.Noise
		}
		f := rtpstream.Frame{Now: time.Now(), Ticks: uint32(len(payload)), Rate: to.far.ClockRate}
		if stamp, ok := to.egress.Relayed(rtpstream.Source{Leg: l.id, SSRC: h.SSRC, Turn: l.turn}, h.Stamp, f); ok {
			out := rtpstream.Header{Stamp: stamp, Type: kind, SSRC: to.config.SSRC}
			to.leaveLocked(Packet{Header: out, Payload: append([]byte(nil), payload...), Relayed: true})
		}
	}
	if event || route.Copy {
		l.stats.RxUser++
	}
	l.plane.mu.Unlock()
	if event || route.Copy {
		l.config.Receiver.RTP(append(h.Append(nil), payload...), time.Now())
	}
}

// Packets are those that the leg has sent to the far end so far.
func (f *Far) Packets() []Packet {
	f.leg.plane.mu.Lock()
	defer f.leg.plane.mu.Unlock()
	return append([]Packet(nil), f.leg.sent...)
}

// Heard decodes what the leg has sent so far, from a packet on.
func (f *Far) Heard(from int) ([]int16, error) {
	d, err := codec.NewDecoder(f.codec)
	if err != nil {
		return nil, err
	}
	var pcm []int16
	for i, p := range f.Packets() {
		if i < from || f.leg.isNoise(p.Type) {
			continue
		}
		if pcm, err = d.Decode(pcm, p.Payload); err != nil {
			return nil, err
		}
	}
	return pcm, nil
}

// Broken tells where the stream towards the far end is not one stream: another
// SSRC, a gap in the sequence, a step back in time. Nothing is wrong: 0.
func (f *Far) Broken() (at int) {
	packets := f.Packets()
	for i := 1; i < len(packets); i++ {
		a, b := packets[i-1], packets[i]
		if a.SSRC != b.SSRC || b.Sequence != a.Sequence+1 || int32(b.Timestamp-a.Timestamp) <= 0 {
			return i
		}
	}
	return 0
}
