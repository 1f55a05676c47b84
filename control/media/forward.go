package media

import (
	"time"

	"mcp/control/media/codec"
	"mcp/control/media/resample"
)

// forwarder sends a leg's audio on to another, from userspace: as it came, octet
// for octet in the other law of G.711, or coded anew.
type forwarder struct {
	to   *Leg
	law  *codec.Transcoder
	anew *conversion
}

func newForwarder(to *Leg, f Forward) (_ *forwarder, err error) {
	w := &forwarder{to: to}
	switch {
	case f.From.Same(f.As):
	case isLaw(f.From) && isLaw(f.As):
		w.law, err = codec.NewTranscoder(f.From, f.As)
	default:
		w.anew, err = newConversion(f.From, f.As)
	}
	return w, err
}

func isLaw(c codec.Codec) bool { return c.Same(codec.PCMU) || c.Same(codec.PCMA) }

// packet is audio on its way to another leg.
type packet struct {
	payload []byte
	ticks   uint32 // of the clock of the leg it came to
	marker  bool
}

// forward sends a packet on. The buffer is the leg's own, for what is rewritten.
func (f *forwarder) forward(p packet, buf *[]byte) error {
	state := f.to.state.Load()
	if state == nil {
		return nil
	}
	out := p.payload
	switch {
	case f.anew != nil:
		return f.anew.forward(f.to, state, p)
	case f.law != nil:
		out = append((*buf)[:0], out...)
		*buf = out
		f.law.Rewrite(out, out)
	}
	return f.to.send(state, Payload{PayloadType: state.far.PayloadType, Marker: p.marker, Samples: p.ticks, Data: out})
}

// conversion codes a stream anew: in another codec, at another rate, in packets
// of the length that the far end wants.
type conversion struct {
	decoder  codec.Decoder
	encoder  codec.Encoder
	resample *resample.Stream
	pcm      []int16
	fifo     []int16
	out      []byte
	marker   bool
}

func newConversion(from, as codec.Codec) (*conversion, error) {
	d, err := codec.NewDecoder(from)
	if err != nil {
		return nil, err
	}
	e, err := codec.NewEncoder(as)
	if err != nil {
		return nil, err
	}
	return &conversion{decoder: d, encoder: e, resample: resample.New(from.SampleRate(), as.SampleRate())}, nil
}

func (c *conversion) forward(to *Leg, state *legState, p packet) error {
	var err error
	if c.pcm, err = c.decoder.Decode(c.pcm[:0], p.payload); err != nil {
		return err
	}
	c.fifo = c.resample.Append(c.fifo, c.pcm)
	c.marker = c.marker || p.marker
	ticks, span := state.samples()
	samples := int(span * time.Duration(state.codec.SampleRate()) / time.Second)
	used := 0
	for ; err == nil && len(c.fifo)-used >= samples; used += samples {
		if c.out, err = c.encoder.Encode(c.out[:0], c.fifo[used:used+samples]); err != nil {
			break
		}
		err = to.send(state, Payload{PayloadType: state.far.PayloadType, Marker: c.marker, Samples: uint32(ticks), Data: c.out})
		c.marker = false
	}
	c.fifo = c.fifo[:copy(c.fifo, c.fifo[min(used, len(c.fifo)):])]
	return err
}

// misordered is how far back a packet may be and still be of the same run, RFC
// 3550 appendix A.1.
const misordered = 100

// passage is where the audio that a leg forwards is. What is sent on is numbered
// anew, so its order and its gaps must be seen here.
type passage struct {
	begun     bool
	ssrc      uint32
	sequence  uint16
	timestamp uint32 // of the next sample
	buf       []byte
}

// follow places a packet: false means that it comes too late, and jump that
// something is missing before it.
func (p *passage) follow(ssrc uint32, sequence uint16, timestamp, samples uint32) (jump, ok bool) {
	ahead := int16(sequence - p.sequence)
	same := p.begun && ssrc == p.ssrc
	if same && ahead <= 0 && ahead > -misordered {
		return false, false
	}
	jump = !same || timestamp != p.timestamp
	p.begun, p.ssrc, p.sequence, p.timestamp = true, ssrc, sequence, timestamp+samples
	return jump, true
}

// pass sends audio on to the legs that the plane does not relay to. Where
// something is missing the marker lets their timelines go on by the clock.
func (l *Leg) pass(s *legState, payload []byte) {
	targets := l.forward.Load()
	if targets == nil || len(*targets) == 0 || len(payload) == 0 {
		return
	}
	h := &l.header
	ticks := s.codec.Ticks(payload)
	jump, ok := l.passage.follow(h.SSRC, h.SequenceNumber, h.Timestamp, ticks)
	if !ok {
		return
	}
	for _, f := range *targets {
		if err := f.forward(packet{payload, ticks, h.Marker || jump}, &l.passage.buf); err != nil {
			l.session.log.Debug("forward audio", "from", l.name, "to", f.to.name, "error", err)
		}
	}
}
