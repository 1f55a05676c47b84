// Package mix is the arithmetic of a conference: who is heard, and what each
// hears. It knows no packets, no clock and no locks: one call makes one frame.
package mix

import "math"

// Port is one participant of a mixer for a frame: what it says and what it is to
// hear, and how.
type Port struct {
	In     []int16 // what it says in this frame
	Out    []int16 // what it hears; set by Frame, valid until the next
	Active bool    // In is more than silence
	Shared bool    // set by Frame: Out is what all hear who say nothing

	Gain      float64 // of what it says, linear; 1 leaves it as it is
	Mute      bool    // it is not heard
	Deaf      bool    // it hears nothing
	Preferred bool    // it is heard however many speak
	HeardBy   []*Port // nil: everybody; otherwise only these hear it

	level   float64 // of what it says, smoothed mean square
	talking bool
	chosen  bool // in this frame
	own     []int16
}

// Level is how loud a port has been of late, in dB below the loudest sine (dBm0
// is some 6 dB more, by ITU-T G.711's +3.14 dBm0 of a full sine).
func (p *Port) Level() float64 { return 10 * math.Log10(2*p.level/(full*full)+1e-10) }

// Talking tells whether the port was heard in the last frame as one that speaks.
func (p *Port) Talking() bool { return p.talking }

const full = 32767

// A port speaks above this mean square, -45 dB, and one that was heard keeps its
// place against others that are not twice as loud.
const (
	speech = full * full / 2 / 31623
	hold   = 2
)

// Loudness follows what is said within a frame and forgets it within half a
// second. The sum's gain comes back as slowly as ears take it for nothing.
const (
	attack  = 0.5
	decay   = 0.25
	release = 0.06
)

// Mixer mixes frames of one length.
type Mixer struct {
	sum     []int32
	private []int32
	common  []int16
	loudest int
	limit   float64 // gain by which the sum fits
	ranks   []*Port // those heard
	top     []*Port // the loudest of them
}

// New makes a mixer of frames of so many samples, in which at most so many are
// heard at once beside those preferred; 0: all.
func New(samples, loudest int) *Mixer {
	return &Mixer{
		sum: make([]int32, samples), private: make([]int32, samples), common: make([]int16, samples),
		loudest: loudest, limit: 1,
	}
}

// SetLoudest changes how many are heard at once; 0: all.
func (m *Mixer) SetLoudest(n int) { m.loudest = n }

// Common is what those hear who say nothing; valid until the next frame.
func (m *Mixer) Common() []int16 { return m.common }

// Frame mixes one frame: each port hears the sum of those who are heard, without
// itself.
func (m *Mixer) Frame(ports []*Port) {
	clear(m.sum)
	whispered := false
	for _, p := range m.choose(ports) {
		if p.HeardBy != nil {
			whispered = true
			continue
		}
		for i, s := range p.In {
			m.sum[i] += int32(s)
		}
	}
	m.fit()
	for i, s := range m.sum {
		m.common[i] = m.clip(s)
	}
	for _, p := range ports {
		m.hear(p, whispered)
	}
}

// choose follows the ports' loudness, applies their gain, and returns those heard.
func (m *Mixer) choose(ports []*Port) []*Port {
	m.ranks = m.ranks[:0]
	free := 0
	for _, p := range ports {
		p.follow()
		p.chosen = false
		if !p.Active || p.Mute {
			p.talking = false
			continue
		}
		m.ranks = append(m.ranks, p)
		if !p.Preferred && p.HeardBy == nil {
			free++
		}
	}
	if m.loudest > 0 && free > m.loudest {
		m.rank()
	}
	for _, p := range m.ranks {
		p.chosen, p.talking = true, p.level > speech
	}
	return m.ranks
}

// rank drops all but the loudest.
func (m *Mixer) rank() {
	m.top = m.top[:0]
	kept := m.ranks[:0]
	for _, p := range m.ranks {
		if p.Preferred || p.HeardBy != nil {
			kept = append(kept, p)
			continue
		}
		m.contend(p)
	}
	m.ranks = append(kept, m.top...)
}

// contend puts a port among the loudest, in order, and drops who is one too many.
func (m *Mixer) contend(p *Port) {
	at := len(m.top)
	for at > 0 && m.top[at-1].claim() < p.claim() {
		at--
	}
	switch {
	case at == m.loudest:
		p.talking = false
		return
	case len(m.top) < m.loudest:
		m.top = append(m.top, nil)
	default:
		m.top[len(m.top)-1].talking = false
	}
	copy(m.top[at+1:], m.top[at:])
	m.top[at] = p
}

// claim is what a port's place is worth.
func (p *Port) claim() float64 {
	if p.talking {
		return hold * p.level
	}
	return p.level
}

// follow applies the gain and measures.
func (p *Port) follow() {
	if !p.Active {
		p.level -= p.level * decay
		return
	}
	if p.Gain != 1 {
		for i, s := range p.In {
			p.In[i] = clamp(float64(s) * p.Gain)
		}
	}
	var sum int64
	for _, s := range p.In {
		sum += int64(s) * int64(s)
	}
	mean := float64(sum) / float64(max(1, len(p.In)))
	if mean > p.level {
		p.level += (mean - p.level) * attack
		return
	}
	p.level -= (p.level - mean) * decay
}

// fit lowers the gain at once where the sum does not fit, and raises it slowly.
func (m *Mixer) fit() {
	var peak int32
	for _, s := range m.sum {
		peak = max(peak, s, -s)
	}
	m.limit += (1 - m.limit) * release
	if over := float64(full) / float64(max(peak, 1)); over < m.limit {
		m.limit = over
	}
	if m.limit > 0.999 {
		m.limit = 1
	}
}

func (m *Mixer) clip(s int32) int16 {
	if m.limit != 1 {
		s = int32(float64(s) * m.limit)
	}
	return int16(max(math.MinInt16, min(math.MaxInt16, s)))
}

// hear makes what one port hears.
func (m *Mixer) hear(p *Port, whispered bool) {
	p.Shared = false
	if p.Deaf {
		p.Out = nil
		return
	}
	speaks := p.chosen && p.HeardBy == nil
	if !speaks && !(whispered && m.whispers(p)) {
		p.Out, p.Shared = m.common, true
		return
	}
	copy(m.private, m.sum)
	if speaks {
		for i, s := range p.In {
			m.private[i] -= int32(s)
		}
	}
	if whispered {
		m.addWhispers(p)
	}
	if len(p.own) != len(m.sum) {
		p.own = make([]int16, len(m.sum))
	}
	for i, s := range m.private {
		p.own[i] = m.clip(s)
	}
	p.Out = p.own
}

// whispers tells whether somebody says something to a port alone.
func (m *Mixer) whispers(p *Port) bool {
	for _, o := range m.ranks {
		if o.speaksTo(p) {
			return true
		}
	}
	return false
}

func (m *Mixer) addWhispers(p *Port) {
	for _, o := range m.ranks {
		if o.speaksTo(p) {
			for i, s := range o.In {
				m.private[i] += int32(s)
			}
		}
	}
}

// speaksTo tells whether a port is heard by a few only, and another is one of them.
func (p *Port) speaksTo(o *Port) bool {
	for _, l := range p.HeardBy {
		if l == o && p != o {
			return true
		}
	}
	return false
}

func clamp(v float64) int16 { return int16(math.Max(math.MinInt16, math.Min(math.MaxInt16, v))) }
