package media

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtp"

	"mcp/control/media/codec"
	"mcp/control/media/dtmf"
	"mcp/control/media/plan"
	"mcp/control/media/roll"
	"mcp/control/media/srtp"
)

// Leg is one RTP session of a call with one far end.
type Leg struct {
	name    string
	session *Session
	local   netip.AddrPort
	ssrc    uint32 // of the stream towards the far end
	pressed presses
	control control

	state   atomic.Pointer[legState]     // what is agreed with the far end
	forward atomic.Pointer[[]*forwarder] // legs that userspace sends this one's audio to
	relayed atomic.Pointer[Leg]          // that the plane relays this one's audio to

	taps, monitors taps // who listens to what it says, and to what it hears

	duty
	listing
	carriage
	reception
}

// listing is a leg's seats in its engine's lists, each under the lock of the list's owner.
type listing struct {
	open    roll.Seat[*Leg] // in the tally's
	reports roll.Seat[*Leg] // in the reporter's
	guard   guard           // in the vigil's
}

// carriage is who carries a leg, and how well it is protected there.
type carriage struct {
	carrier atomic.Pointer[carrier]
	secured atomic.Pointer[secured] // how the latest handshake ended; nil: it has not
}

// reception is what the plane's receiver is at.
type reception struct {
	inBand atomic.Bool // keys are wanted that are in the audio

	receiving sync.Mutex // guards what follows
	header    rtp.Header
	detector  dtmf.Detector
	keys      []byte
	ear       *keyEar // nil: none is needed so far
	passage   passage
	hush      *hush // nil: the far end has never been silent so
}

// legState is what Connect said last.
type legState struct {
	far   FarEnd
	codec codec.Codec
	since time.Time // when it was agreed
}

// isSomewhere tells whether there is a far end at present.
func (s *legState) isSomewhere() bool { return s != nil && s.far.RTP.IsValid() }

// speaks tells whether the far end is to hear anything at present.
func (s *legState) speaks() bool { return s.isSomewhere() && s.far.Send }

// samples is how many are in a frame that the far end wants, as nearly as its codec
// has it.
func (s *legState) samples() (int, time.Duration) {
	span := s.far.Ptime
	if span <= 0 {
		span = frame
	}
	span = s.codec.Span(span)
	return int(int64(span) * int64(s.codec.ClockRate) / int64(time.Second)), span
}

// Name is the leg's name within its session.
func (l *Leg) Name() string { return l.name }

// Local is where the far end is to send RTP.
func (l *Leg) Local() netip.AddrPort { return l.local }

// Connect sets or replaces what was agreed with the far end.
func (l *Leg) Connect(far FarEnd, spoken codec.Codec) error {
	return l.session.connectAndTell(l, &legState{far: far, codec: spoken.Following(l.spoken())})
}

// Stats is what the leg has carried so far.
func (l *Leg) Stats() (LegStats, error) { return l.carrier.Load().Stats() }

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
	err := l.carrier.Load().Send(p)
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
		l.event(payload)
		return
	}
	if s.far.Noise != 0 && l.header.PayloadType == s.far.Noise {
		l.quiet(s, payload)
		return
	}
	l.hush.heard(&l.header)
	l.hear(s, payload, at)
}

// hear takes audio to all who hear it through userspace.
func (l *Leg) hear(s *legState, payload []byte, at time.Time) {
	if l.hearsKeys(s) {
		l.overhearKeys(s, payload)
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

// carrier is who carries a leg at present: the engine's plane, or the one apart
// for legs that need their packets protected.
type carrier struct {
	PlaneLeg
	apart  bool
	before *LegStats // of those that carried the leg earlier; nil: none did
}

// Stats is what the leg has carried in its life.
func (c *carrier) Stats() (LegStats, error) {
	s, err := c.PlaneLeg.Stats()
	return c.sum(s), err
}

// Close ends the leg.
func (c *carrier) Close(last func(LegStats)) (LegStats, error) {
	s, err := c.PlaneLeg.Close(last)
	return c.sum(s), err
}

func (c *carrier) sum(s LegStats) LegStats {
	if c.before == nil {
		return s
	}
	s.Dropped = maps.Clone(s.Dropped)
	if s.Dropped == nil {
		s.Dropped = map[string]uint64{}
	}
	s.add(*c.before)
	s.RxBytes += c.before.RxBytes
	s.TxBytes += c.before.TxBytes
	s.RxLost += c.before.RxLost
	return s
}

// protection is what the leg's packets are protected with, and how keys for that
// were agreed: "dtls" or "sdes"; empty: with nothing.
func (l *Leg) protection() (p srtp.Profile, keys string) {
	s := l.state.Load()
	if s == nil || s.far.Secure == nil {
		return "", ""
	}
	if s.far.Secure.Handshake.Identity == nil {
		return s.far.Secure.Send.Profile(), "sdes"
	}
	if done := l.secured.Load(); done != nil {
		p = done.profile
	}
	return p, "dtls"
}

// secured is how a handshake ended.
type secured struct {
	profile srtp.Profile
	err     error
}

// Keyed implements Keyed: it logs how a handshake has ended, and tells who watches.
func (l *Leg) Keyed(p srtp.Profile, err error) {
	l.secured.Store(&secured{p, err})
	l.session.engine.tally.count(err)
	if err == nil {
		l.session.log().Info("audio is protected", "leg", l.name, "profile", p)
		return
	}
	l.session.log().Warn("audio cannot be protected", "leg", l.name, "error", err)
	l.session.engine.vigil.insecure(l, err)
}

// homeLocked has a leg carried where it can be protected as is agreed. A leg that
// is not protected any more stays where it is, once it has carried something: its
// stream goes on there.
func (s *Session) homeLocked(l *Leg, far FarEnd) error {
	now := l.carrier.Load()
	apart := far.Secure != nil
	if s.engine.apart == nil || now.apart == apart {
		return nil
	}
	stats, err := now.Stats()
	if err != nil {
		return err
	}
	if !apart && stats.RxPackets+stats.TxPackets > 0 {
		return nil
	}
	to := s.engine.plane
	if apart {
		to = s.engine.apart
	}
	next, err := to.Open(LegConfig{
		Local: l.local, SSRC: l.ssrc, Call: s.call, Role: l.name, Receiver: l, After: placeOf(stats),
	})
	if err != nil {
		return fmt.Errorf("move to another plane: %w", err)
	}
	return s.moveLocked(l, &carrier{PlaneLeg: next, apart: apart})
}

// ExpectHandshake has a leg that is not connected ready for a far end that begins a
// DTLS handshake before its answer to our offer has come.
func (l *Leg) ExpectHandshake() error {
	s := l.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.hasLocked(l) {
		return ErrClosed
	}
	if err := s.homeLocked(l, FarEnd{Secure: &srtp.Agreement{}}); err != nil {
		return fmt.Errorf("leg %s: %w", l.name, err)
	}
	return s.applyLocked()
}

// placeOf is where a stream is that has begun; nil: it has not.
func placeOf(s LegStats) *Place {
	if s.Tx.At.IsZero() {
		return nil
	}
	return &s.Tx
}

// moveLocked puts a carrier in the place of the one before. Whoever the plane
// relayed to it stops, until the graph is planned anew; a clip that the plane
// played goes on packet by packet.
func (s *Session) moveLocked(l *Leg, next *carrier) error {
	var errs []error
	for _, o := range s.legs {
		if o.applied.Relay != l.name {
			continue
		}
		o.applied.Relay = ""
		errs = append(errs, o.carrier.Load().Route(Route{Copy: o.applied.Copied()}))
	}
	l.applied = plan.Rule{}
	if b := l.playing; b != nil {
		s.engine.reclaim(b)
	}
	before, err := l.carrier.Load().Close(nil)
	next.before = &before
	l.carrier.Store(next)
	return errors.Join(append(errs, err)...)
}

// reclaim goes on by itself with what the plane played.
func (e *Engine) reclaim(b *Playback) {
	b.mu.Lock()
	voice := b.voice
	if voice == nil || b.ended {
		b.mu.Unlock()
		return
	}
	b.next, b.gap, b.voice = b.frameAt(voice.Position()), true, nil
	b.mu.Unlock()
	voice.Stop()
	e.pacer.add(b)
}
