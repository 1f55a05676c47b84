package media

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"mcp/control/media/codec"
	"mcp/control/media/plan"
	"mcp/control/media/resample"
)

// forwarder sends a leg's audio on to another, from userspace: as it came, octet
// for octet in the other law of G.711, or coded anew; where it can be cut, in packets
// of the length that the far end wants.
type forwarder struct {
	to   *Leg
	law  *codec.Transcoder
	anew *conversion
	rest []byte // too little for a packet
	mark bool   // the next packet has the marker
}

func newForwarder(to *Leg, f plan.Forward) (_ *forwarder, err error) {
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
	if want, _ := state.samples(); state.codec.Octets() && (want != len(out) || len(f.rest) > 0) {
		return f.cut(state, out, p.marker, want)
	}
	return f.to.send(state, Payload{PayloadType: state.far.PayloadType, Marker: p.marker, Samples: p.ticks, Data: out})
}

// cut sends audio of an octet for each tick in packets of so many. What is left over
// when something is missing goes alone.
func (f *forwarder) cut(state *legState, audio []byte, marker bool, want int) error {
	send := func(n int) error {
		p := Payload{PayloadType: state.far.PayloadType, Marker: f.mark, Samples: uint32(n), Data: f.rest[:n]}
		err := f.to.send(state, p)
		f.rest, f.mark = f.rest[:copy(f.rest, f.rest[n:])], false
		return err
	}
	var errs []error
	if marker && len(f.rest) > 0 {
		errs = append(errs, send(len(f.rest)))
	}
	f.mark = f.mark || marker
	f.rest = append(f.rest, audio...)
	for len(f.rest) >= want {
		errs = append(errs, send(want))
	}
	return errors.Join(errs...)
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

// one codes a payload anew as exactly one of so many samples. What the resampler
// still owes is silence.
func (c *conversion) one(payload []byte, samples int) ([]byte, error) {
	var err error
	if c.pcm, err = c.decoder.Decode(c.pcm[:0], payload); err != nil {
		return nil, err
	}
	c.fifo = c.resample.Append(c.fifo, c.pcm)
	for len(c.fifo) < samples {
		c.fifo = append(c.fifo, 0)
	}
	c.out, err = c.encoder.Encode(c.out[:0], c.fifo[:samples])
	c.fifo = c.fifo[:copy(c.fifo, c.fifo[samples:])]
	return c.out, err
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
			l.session.log().Debug("forward audio", "from", l.name, "to", f.to.name, "error", err)
		}
	}
}

// Copy sends to one leg, such as that towards a recording server, a copy of what the
// far end of another leg says, or hears. The plane relays the copy unless it relays the
// same audio to a listener already; then userspace sends it.
type Copy struct {
	from, to *Leg
	heard    bool // what the far end hears, not what it says

	mu    sync.Mutex // guards what follows
	tap   *Tap       // nil: the legs are joined
	muted bool
	over  bool
}

// CopySaid begins to copy what a leg's far end says to another leg of the
// session, until the Copy is closed.
func (s *Session) CopySaid(from, to *Leg) (*Copy, error) {
	c := &Copy{from: from, to: to}
	to.aside.Store(true)
	if err := s.Join(from, to); err != nil {
		return nil, fmt.Errorf("copy: %w", err)
	}
	return c, nil
}

// CopyHeard begins to copy what a leg's far end hears, whoever says it, to
// another leg of the session, until the Copy is closed.
func (s *Session) CopyHeard(from, to *Leg) (*Copy, error) {
	c := &Copy{from: from, to: to, heard: true}
	var err error
	if c.tap, err = from.Monitor(&copier{to: to}); err != nil {
		return nil, fmt.Errorf("copy: %w", err)
	}
	return c, nil
}

// Mute lets silence be copied instead, or ends that.
func (c *Copy) Mute(on bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over || c.muted == on {
		return nil
	}
	c.muted = on
	if c.heard {
		return c.replaceLocked(c.from.Monitor)
	}
	if on {
		return errors.Join(c.from.session.Part(c.from, c.to), c.replaceLocked(c.from.Tap))
	}
	err := c.tap.Close()
	c.tap = nil
	return errors.Join(err, c.from.session.Join(c.from, c.to))
}

// replaceLocked puts another listener in the place of the one there is.
func (c *Copy) replaceLocked(listen func(Listener) (*Tap, error)) error {
	var closed error
	if c.tap != nil {
		closed = c.tap.Close()
	}
	tap, err := listen(&copier{to: c.to, mute: c.muted})
	c.tap = tap
	return errors.Join(closed, err)
}

// Close ends it.
func (c *Copy) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return nil
	}
	c.over = true
	if c.tap != nil {
		return c.tap.Close()
	}
	return c.from.session.Part(c.from, c.to)
}

// copier sends on to a leg what it hears. It is called by one goroutine at a time.
type copier struct {
	to   *Leg
	mute bool

	passage passage
	forward *forwarder   // nil: none yet
	way     plan.Forward // of the forwarder
	skipped bool         // something was not sent
}

// Audio implements Listener.
func (c *copier) Audio(h Heard) {
	as := c.to.spoken()
	ticks := h.Codec.Ticks(h.Payload)
	jump, ok := c.passage.follow(h.SSRC, h.Sequence, h.Timestamp, ticks)
	if !ok || as.Name == "" || len(h.Payload) == 0 {
		return
	}
	if err := c.send(h, as, packet{h.Payload, ticks, h.Marker || jump || c.skipped}); err != nil {
		c.to.session.log().Debug("copy audio", "to", c.to.name, "error", err)
	}
}

func (c *copier) send(h Heard, as codec.Codec, p packet) error {
	if way := (plan.Forward{To: c.to.name, From: h.Codec, As: as}); c.forward == nil || !way.From.Same(c.way.From) || !as.Same(c.way.As) {
		f, err := newForwarder(c.to, way)
		if err != nil {
			return err
		}
		c.forward, c.way = f, way
	}
	if c.mute {
		silent, ok := silent(h.Codec, c.passage.buf, len(p.payload))
		if c.passage.buf, c.skipped = silent, !ok; !ok {
			return nil
		}
		p.payload = silent
	}
	if !c.mute {
		c.skipped = false
	}
	return c.forward.forward(p, &c.passage.buf)
}

// silent is a silent payload of so many octets, in formats of an octet for each
// tick; in others nothing is sent, and the stream's timeline goes on by the clock.
func silent(c codec.Codec, buf []byte, n int) ([]byte, bool) {
	buf = buf[:0]
	if !isLaw(c) && !c.Same(codec.G722) {
		return buf, false
	}
	for range n {
		buf = append(buf, c.Silence())
	}
	return buf, true
}
