package media

import (
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtp"

	"mcp/control/media/codec"
	"mcp/control/media/dtmf"
)

// digitQueue is how many digits wait for a reader; a caller cannot press more
// before somebody looks.
const digitQueue = 64

// Leg is one RTP session of a call with one far end.
type Leg struct {
	name    string
	session *Session
	local   netip.AddrPort
	ssrc    uint32 // of the stream towards the far end
	plane   PlaneLeg
	digits  chan Digit
	control control

	state   atomic.Pointer[legState]     // what is agreed with the far end
	forward atomic.Pointer[[]*forwarder] // legs that userspace sends this one's audio to
	relayed atomic.Pointer[Leg]          // that the plane relays this one's audio to

	taps, monitors taps // who listens to what it says, and to what it hears

	inBand atomic.Bool // keys are wanted that are in the audio
	aside  atomic.Bool // it only takes a copy

	reception
}

// reception is what the plane's receiver is at.
type reception struct {
	receiving sync.Mutex // guards what follows
	header    rtp.Header
	detector  dtmf.Detector
	keys      []byte
	ear       *keyEar // nil: none is needed so far
	passage   passage
}

// legState is what Connect said last.
type legState struct {
	far   FarEnd
	codec codec.Codec
	since time.Time // when it was agreed
}

// speaks tells whether the far end is to hear anything at present.
func (s *legState) speaks() bool { return s != nil && s.far.Send && s.far.RTP.IsValid() }

// samples is how many are in a frame that the far end wants.
func (s *legState) samples() (int, time.Duration) {
	span := s.far.Ptime
	if span <= 0 {
		span = frame
	}
	return int(int64(span) * int64(s.codec.ClockRate) / int64(time.Second)), span
}

// Name is the leg's name within its session.
func (l *Leg) Name() string { return l.name }

// Local is where the far end is to send RTP.
func (l *Leg) Local() netip.AddrPort { return l.local }

// Digits delivers DTMF (RFC 4733), each key press once, when it begins.
func (l *Leg) Digits() <-chan Digit { return l.digits }

// Connect sets or replaces what was agreed with the far end.
func (l *Leg) Connect(far FarEnd, spoken codec.Codec) error {
	return l.session.connectAndTell(l, &legState{far: far, codec: spoken})
}

// Stats is what the leg has carried so far.
func (l *Leg) Stats() (LegStats, error) { return l.plane.Stats() }

// Close ends the leg before its session does.
func (l *Leg) Close() error { return l.session.closeLeg(l) }

func (l *Leg) spoken() codec.Codec {
	if s := l.state.Load(); s != nil {
		return s.codec
	}
	return codec.Codec{}
}

// send sends one packet as was agreed when the caller looked. On hold, and until
// the far end's address is learned, it goes unheard: the sender's time goes on.
func (l *Leg) send(agreed *legState, p Payload) error {
	if !agreed.speaks() {
		return nil
	}
	err := l.plane.Send(p)
	if err == nil {
		l.monitors.said(agreed, p)
	}
	if errors.Is(err, ErrUnlatched) {
		return nil
	}
	if err != nil && l.state.Load() != agreed {
		return nil // renegotiated meanwhile
	}
	return err
}

// RTP implements Receiver.
func (l *Leg) RTP(packet []byte, at time.Time) {
	l.receiving.Lock()
	defer l.receiving.Unlock()
	n, err := l.header.Unmarshal(packet)
	s := l.state.Load()
	if err != nil || s == nil {
		return
	}
	payload := unpadded(&l.header, packet[n:])
	if s.far.Events >= 0 && int(l.header.PayloadType) == s.far.Events {
		l.event(payload, at)
		return
	}
	if l.hearsKeys(s) {
		l.overhearKeys(s, payload, at)
	}
	l.overhear(s, payload, at)
	l.pass(s, payload)
}

// unpadded takes off the padding, whose last octet says how much there is.
func unpadded(h *rtp.Header, payload []byte) []byte {
	if !h.Padding || len(payload) == 0 {
		return payload
	}
	return payload[:max(0, len(payload)-int(payload[len(payload)-1]))]
}
