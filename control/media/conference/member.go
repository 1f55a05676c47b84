package conference

import (
	"errors"
	"time"

	"mcp/control/media"
	"mcp/control/media/clock"
	"mcp/control/media/codec"
	"mcp/control/media/jitter"
	"mcp/control/media/mix"
	"mcp/control/media/noise"
	"mcp/control/media/resample"
)

// member is a leg in a conference: relayed by a link, or mixed by a tap and an outlet.
type member struct {
	set  Member
	leg  *media.Leg
	rate int // of the conference
	port *mix.Port

	link   *media.Link // to the other, of two
	hears  *member     // who has a link to it; nil: nobody
	tap    *media.Tap
	outlet *media.Outlet
	ear    *jitter.Ear // what arrives
	mouth  mouth       // what leaves

	talks bool
	quiet int // frames
}

func newMember(rate int, leg *media.Leg, set Member) *member {
	return &member{set: set, leg: leg, rate: rate, port: &mix.Port{In: make([]int16, rate/50), Gain: 1}}
}

// relay lets another hear this member by the plane.
func (m *member) relay(to *member) (err error) {
	if m.link, err = m.leg.Link(to.leg); err == nil {
		to.hears = m
	}
	return err
}

func (m *member) unrelay() error {
	if m.link == nil {
		return nil
	}
	err := m.link.Close()
	m.link = nil
	return err
}

// mix begins to hear the member, and to send to it unless another is relayed to it;
// what is so already stays.
func (m *member) mix() (err error) {
	if m.tap == nil {
		m.ear = jitter.NewEar(m.rate)
		if m.tap, err = m.leg.Tap(m.ear); err != nil {
			return err
		}
	}
	if m.outlet == nil && m.hears == nil {
		m.outlet, err = m.leg.Outlet()
	}
	return err
}

// quit lets go of the leg.
func (m *member) quit() error {
	err := m.unrelay()
	if m.tap != nil {
		err = errors.Join(err, m.tap.Close())
		m.tap = nil
	}
	if m.outlet != nil {
		err = errors.Join(err, m.outlet.Close())
		m.outlet = nil
	}
	m.hears = nil
	return err
}

// mouth makes packets for the far end of what it is to hear.
type mouth struct {
	format  media.Format
	encoder codec.Encoder
	convert *resample.Stream // nil: the rates are the same
	samples int              // of a packet
	fifo    []int16
	payload []byte
	pause   noise.Pause
}

// agree follows what was agreed with the far end.
func (o *mouth) agree(f media.Format, rate int) (err error) {
	if o.encoder != nil && f.Codec.Same(o.format.Codec) && f.Span == o.format.Span {
		o.format = f
		return nil
	}
	if o.encoder, err = codec.NewEncoder(f.Codec); err != nil {
		return err
	}
	to := f.Codec.SampleRate()
	o.format, o.samples, o.convert, o.fifo = f, int(f.Span*time.Duration(to)/time.Second), nil, o.fifo[:0]
	if to != rate {
		o.convert = resample.New(rate, to)
	}
	return nil
}

// conclude sends the far end what the mixer still holds of another.
func (m *member) conclude(of *member) error {
	_, ok, err := m.ready()
	if !ok || err != nil || of.ear == nil || m.outlet == nil {
		return err
	}
	return m.mouth.finish(of.ear.Rest(nil), m.outlet)
}

// ready tells what was agreed with the far end, and whether it can be spoken to, now or
// once it is relayed to no more.
func (m *member) ready() (f media.Format, ok bool, err error) {
	f, ok = m.leg.Format()
	if !ok || m.outlet == nil && m.hears == nil {
		return f, false, nil
	}
	if !f.Same(m.mouth.format) {
		err = m.mouth.agree(f, m.rate)
	}
	return f, true, err
}

// goOn ends what the member is relayed: the encoder hears what the plane has sent and the
// mixer still holds, and as much more as it keeps for the next packet; no more of that is
// heard.
func (m *member) goOn() error {
	from := m.hears.ear
	pcm := from.Rest(nil)
	f, ok, err := m.ready()
	m.hears = nil
	if !ok || err != nil {
		return err
	}
	if n := int(f.Codec.Lookahead() * time.Duration(m.rate) / time.Second); n > 0 {
		ahead := make([]int16, n)
		from.Pull(ahead)
		pcm = append(pcm, ahead...)
	}
	return m.mouth.follow(pcm)
}

// speak sends the far end what it is to hear. Where that is what others hear,
// too, it is encoded once for all.
func (m *member) speak(common *encoded) error {
	f, ok, err := m.ready()
	if !ok || err != nil {
		return err
	}
	pcm := m.port.Out
	if pcm == nil {
		pcm = common.silence
	}
	if m.outlet == nil { // the encoder hears what it is to go on from
		return m.mouth.say(pcm, nil)
	}
	if f.Hushed {
		if sid, out := m.mouth.pause.Frame(m.mouth.payload[:0], pcm); out {
			m.mouth.payload = sid
			return m.outlet.Hush(f, sid)
		}
	}
	if m.port.Shared && f.Span == clock.Frame && len(m.mouth.fifo) == 0 {
		if payload := common.in(f.Codec); payload != nil {
			return m.outlet.Send(f, false, payload)
		}
	}
	return m.mouth.say(pcm, m.outlet)
}

// say sends as many packets as there is audio for; nil: nowhere.
func (o *mouth) say(pcm []int16, to *media.Outlet) error {
	o.take(pcm)
	return o.encode(to)
}

func (o *mouth) take(pcm []int16) {
	if o.convert != nil {
		o.fifo = o.convert.Append(o.fifo, pcm)
	} else {
		o.fifo = append(o.fifo, pcm...)
	}
}

func (o *mouth) encode(to *media.Outlet) (err error) {
	used := 0
	for ; err == nil && len(o.fifo)-used >= o.samples; used += o.samples {
		if o.payload, err = o.encoder.Encode(o.payload[:0], o.fifo[used:used+o.samples]); err == nil && to != nil {
			err = to.Send(o.format, false, o.payload)
		}
	}
	o.fifo = o.fifo[:copy(o.fifo, o.fifo[used:])]
	return err
}

// follow has the encoder go on from audio that the far end has heard of another, ending
// where a packet does.
func (o *mouth) follow(pcm []int16) error {
	o.take(pcm)
	o.fifo = o.fifo[len(o.fifo)%o.samples:]
	return o.encode(nil)
}

// finish says all that there is, the last in a packet of its own length; codecs that know
// no such packet lose it.
func (o *mouth) finish(pcm []int16, to *media.Outlet) error {
	err := o.say(pcm, to)
	if n := len(o.fifo) &^ 1; err == nil && n > 0 && o.format.Codec.Octets() {
		whole := o.samples
		o.samples = n
		err = o.say(nil, to)
		o.samples = whole
	}
	o.fifo = o.fifo[:0]
	return err
}

// observe follows whether the member talks, words and the pauses between them.
func (m *member) observe() {
	switch {
	case m.port.Talking():
		m.talks, m.quiet = true, 0
	case m.talks:
		m.quiet++
		m.talks = m.quiet < hangover
	}
}

// encoded is the common mix in the codecs that keep no state.
type encoded struct {
	pcm     []int16
	silence []int16
	laws    [2]law
}

// law is the common mix in one law of G.711.
type law struct {
	codec   codec.Codec
	encoder codec.Encoder
	payload []byte
	done    bool
}

func newEncoded(samples int) (encoded, error) {
	e := encoded{silence: make([]int16, samples), laws: [2]law{{codec: codec.PCMU}, {codec: codec.PCMA}}}
	var errs []error
	for i := range e.laws {
		var err error
		e.laws[i].encoder, err = codec.NewEncoder(e.laws[i].codec)
		errs = append(errs, err)
	}
	return e, errors.Join(errs...)
}

// renew takes the mix of another frame.
func (e *encoded) renew(pcm []int16) {
	e.pcm = pcm
	e.laws[0].done, e.laws[1].done = false, false
}

// in is the mix in a codec; nil: every stream needs its own encoder.
func (e *encoded) in(c codec.Codec) []byte {
	if len(e.pcm) != codec.Narrowband/50 {
		return nil
	}
	for i := range e.laws {
		l := &e.laws[i]
		if !c.Same(l.codec) {
			continue
		}
		if !l.done {
			payload, err := l.encoder.Encode(l.payload[:0], e.pcm)
			if err != nil {
				return nil
			}
			l.payload, l.done = payload, true
		}
		return l.payload
	}
	return nil
}
