package mixbench

import (
	"encoding/binary"
	"time"

	"mcp/control/media"
	"mcp/control/media/codec"
	"mcp/control/media/rtpstream"
)

// nothing is a plane that carries nothing: what is sent is gone.
type nothing struct{ last *mute }

// Mode implements media.Plane.
func (*nothing) Mode() string { return "nothing" }

// Reason implements media.Plane.
func (*nothing) Reason() string { return "benchmark" }

// Close implements media.Plane.
func (*nothing) Close() error { return nil }

// Open implements media.Plane.
func (p *nothing) Open(c media.LegConfig) (media.PlaneLeg, error) {
	p.last = &mute{receiver: c.Receiver}
	return p.last, nil
}

// mute implements media.PlaneLeg.
type mute struct {
	receiver media.Receiver
	sent     int
}

// Connect implements media.PlaneLeg.
func (*mute) Connect(media.FarEnd) error { return nil }

// Route implements media.PlaneLeg.
func (*mute) Route(media.Route) error { return nil }

// SendRTCP implements media.PlaneLeg.
func (*mute) SendRTCP([]byte) error { return nil }

// Stats implements media.PlaneLeg.
func (*mute) Stats() (media.LegStats, error) { return media.LegStats{}, nil }

// Close implements media.PlaneLeg.
func (*mute) Close(func(media.LegStats)) (media.LegStats, error) { return media.LegStats{}, nil }

// Send implements media.PlaneLeg.
func (m *mute) Send(media.Payload) error {
	m.sent++
	return nil
}

// speaker is a far end that says the same second again and again.
type speaker struct {
	to      *mute
	packets [][]byte
	header  rtpstream.Header
	ticks   uint32
	n       int
}

func newSpeaker(c codec.Codec) (*speaker, error) {
	e, err := codec.NewEncoder(c)
	if err != nil {
		return nil, err
	}
	s := &speaker{header: rtpstream.Header{Type: c.PayloadType, SSRC: 1}, ticks: uint32(c.ClockRate / 50)}
	pcm, frame := sound(c.SampleRate()), c.SampleRate()/50
	for ; len(pcm) >= frame; pcm = pcm[frame:] {
		packet, err := e.Encode(s.header.Append(nil), pcm[:frame])
		if err != nil {
			return nil, err
		}
		s.packets = append(s.packets, packet)
	}
	return s, nil
}

// next is the next packet of the stream.
func (s *speaker) next() []byte {
	p := s.packets[s.n%len(s.packets)]
	s.n++
	binary.BigEndian.PutUint16(p[2:], uint16(s.n))
	binary.BigEndian.PutUint32(p[4:], uint32(s.n)*s.ticks)
	return p
}

// say hands a packet to the leg.
func (s *speaker) say() { s.to.receiver.RTP(s.next(), time.Now()) }
