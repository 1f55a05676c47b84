package media

import (
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtp"

	"mcp/control/media/codec"
)

// digitQueue is how many digits wait for a reader; a caller cannot press more
// before somebody looks.
const digitQueue = 64

// Leg is one RTP session of a call with one far end.
type Leg struct {
	name    string
	session *Session
	local   netip.AddrPort
	plane   PlaneLeg
	digits  chan Digit
	lost    atomic.Uint64 // digits that nobody read in time

	state   atomic.Pointer[legState]     // what is agreed with the far end
	forward atomic.Pointer[[]*forwarder] // legs that userspace sends this one's audio to

	receiving sync.Mutex // the plane calls from one goroutine; Close comes from another
	header    rtp.Header
	detector  digitDetector
	buf       []byte
}

// legState is what Connect said last.
type legState struct {
	far   FarEnd
	codec codec.Codec
}

// forwarder sends a leg's audio on to another, from userspace.
type forwarder struct {
	to         *Leg
	transcoder *codec.Transcoder // nil when both speak the same
}

// Name is the leg's name within its session.
func (l *Leg) Name() string { return l.name }

// Local is where the far end is to send RTP.
func (l *Leg) Local() netip.AddrPort { return l.local }

// Digits delivers DTMF (RFC 4733), each key press once.
func (l *Leg) Digits() <-chan Digit { return l.digits }

// Connect sets or replaces what was agreed with the far end.
func (l *Leg) Connect(far FarEnd, spoken codec.Codec) error {
	return l.session.connect(l, &legState{far: far, codec: spoken})
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

var errNotConnected = errors.New("leg is not connected")

// sendAudio sends one frame in the leg's codec.
func (l *Leg) sendAudio(payload []byte, marker bool) error {
	s := l.state.Load()
	if s == nil {
		return errNotConnected
	}
	if !s.far.Send {
		return nil // held: the clip goes on unheard
	}
	return l.plane.Send(Payload{PayloadType: s.far.PayloadType, Marker: marker, Samples: uint32(len(payload)), Data: payload})
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
	payload := packet[n:]
	if s.far.Events >= 0 && int(l.header.PayloadType) == s.far.Events {
		l.event(payload, at)
		return
	}
	if l.header.Padding && len(payload) > 0 {
		payload = payload[:max(0, len(payload)-int(payload[len(payload)-1]))]
	}
	l.pass(payload)
}

func (l *Leg) event(payload []byte, at time.Time) {
	key, begins := l.detector.packet(l.header.Timestamp, payload)
	if !begins {
		return
	}
	select {
	case l.digits <- Digit{Key: key, At: at}:
	default:
		l.lost.Add(1)
		l.session.log.Warn("DTMF digit lost: nobody reads them", "leg", l.name, "lost", l.lost.Load())
	}
}

// pass sends audio on to the legs that the plane does not relay to.
func (l *Leg) pass(payload []byte) {
	targets := l.forward.Load()
	if targets == nil {
		return
	}
	for _, f := range *targets {
		out := payload
		if f.transcoder != nil {
			if cap(l.buf) < len(payload) {
				l.buf = make([]byte, len(payload))
			}
			out = l.buf[:len(payload)]
			f.transcoder.Rewrite(out, payload)
		}
		if err := f.to.sendAudio(out, l.header.Marker); err != nil {
			l.session.log.Debug("forward audio", "from", l.name, "to", f.to.name, "error", err)
		}
	}
}

// RTCP implements Receiver. The plane has counted it; nothing here needs more.
func (l *Leg) RTCP([]byte, time.Time) {}
