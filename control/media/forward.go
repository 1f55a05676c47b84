package media

import (
	"mcp/control/media/codec"
)

// forwarder sends a leg's audio on to another, from userspace.
type forwarder struct {
	to         *Leg
	transcoder *codec.Transcoder // nil when both speak the same
}

func newForwarder(to *Leg, f Forward) (*forwarder, error) {
	if f.From.Same(f.As) {
		return &forwarder{to: to}, nil
	}
	t, err := codec.NewTranscoder(f.From, f.As)
	return &forwarder{to, t}, err
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
func (l *Leg) pass(payload []byte) {
	targets := l.forward.Load()
	if targets == nil || len(*targets) == 0 || len(payload) == 0 {
		return
	}
	h := &l.header
	jump, ok := l.passage.follow(h.SSRC, h.SequenceNumber, h.Timestamp, uint32(len(payload)))
	if !ok {
		return
	}
	for _, f := range *targets {
		state := f.to.state.Load()
		if state == nil {
			continue
		}
		out := payload
		if f.transcoder != nil {
			out = append(l.passage.buf[:0], payload...)
			l.passage.buf = out
			f.transcoder.Rewrite(out, out)
		}
		err := f.to.send(state, Payload{
			PayloadType: state.far.PayloadType, Marker: h.Marker || jump, Samples: uint32(len(out)), Data: out,
		})
		if err != nil {
			l.session.log.Debug("forward audio", "from", l.name, "to", f.to.name, "error", err)
		}
	}
}
