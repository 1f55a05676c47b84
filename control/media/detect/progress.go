package detect

import "time"

// Outcome is what a call's audio turned out to be.
type Outcome string

// The outcomes of call progress analysis.
const (
	Human        Outcome = "human"
	Machine      Outcome = "machine"
	GreetingOver Outcome = "greeting_over" // of a machine, whose beep may follow
	Beep         Outcome = "beep"          // of a machine: it records now
	Fax          Outcome = "fax"
	Silence      Outcome = "silence"
	Busy         Outcome = "busy"
	FastBusy     Outcome = "fast_busy"
	RingBack     Outcome = "ringback" // it rang as often as it may
	NoCircuit    Outcome = "sit_nocircuit"
	Intercept    Outcome = "sit_operatorintercept"
	Reorder      Outcome = "sit_reorder"
	Vacant       Outcome = "sit_vacantcircuit"
	Undetermined Outcome = "undetermined" // the time is over
)

// Timing says how long things take, by the names of GVP's options.
type Timing struct {
	MaxPreConnect  time.Duration // maxpreconntime: tones before the answer; 0: for ever
	MaxPostConnect time.Duration // maxpostconntime: until the analysis gives up
	MaxBeep        time.Duration // maxbeepdettime: how long a machine's beep is waited for; 0: not at all
	Silence        time.Duration // postconnsilduration: nobody says anything
	MachineGreet   time.Duration // machinegreetingdur: a greeting so long is a machine's
	MaxVoice       time.Duration // maxvoicesigdur: so is a single utterance so long
	VoicePause     time.Duration // voicepausedur: so long a pause ends a greeting
	Fax            time.Duration // faxdur: of a fax machine's tone
	MaxRings       int           // maxrings; 0: any number
}

// DefaultTiming suits most networks.
func DefaultTiming() Timing {
	return Timing{
		MaxPreConnect: 60 * time.Second, MaxPostConnect: 20 * time.Second, MaxBeep: 30 * time.Second,
		Silence: 5 * time.Second, MachineGreet: 1800 * time.Millisecond, MaxVoice: 3 * time.Second,
		VoicePause: time.Second, Fax: 160 * time.Millisecond, MaxRings: 10,
	}
}

// Progress analyses a call, from its tones before the answer to who answered it.
type Progress struct {
	timing    Timing
	connected bool
	clock     time.Duration // since the beginning, or the answer
	cadence   cadence
	sit       sit
	fax       *FaxTones
	greeting  greeting
	voice     Voice
	beep      *beeper // after a machine's greeting
}

// NewProgress begins an analysis before the answer.
func NewProgress(t Timing) *Progress { return &Progress{timing: t, fax: NewFaxTones(t.Fax)} }

// Connected says that the call was answered.
func (p *Progress) Connected() {
	p.connected, p.clock = true, 0
	p.cadence = cadence{}
}

// Frame takes 20 ms at 8 kHz, and tells once something is known. A machine's
// greeting is followed by its end and its beep if that is waited for: Frame may be
// called on, until it tells Beep or Undetermined.
func (p *Progress) Frame(pcm []int16) (Outcome, bool) {
	p.clock += frame
	hz, sine := pureTone(pcm)
	if p.beep != nil {
		return p.beep.frame(p.timing, p.voice.Frame(pcm) && !sine, hz, sine)
	}
	if _, ok := p.fax.sine(hz, sine); ok {
		return Fax, true
	}
	if o, ok := p.sit.frame(hz, sine); ok {
		return o, true
	}
	if o, ok := p.cadence.frame(toneOf(pcm, hz, sine), p.timing.MaxRings); ok {
		return o, true
	}
	if p.connected {
		return p.answered(p.voice.Frame(pcm) && !sine)
	}
	return Undetermined, p.timing.MaxPreConnect > 0 && p.clock >= p.timing.MaxPreConnect
}

// answered judges who speaks.
func (p *Progress) answered(voice bool) (Outcome, bool) {
	o, ok := p.greeting.frame(voice, p.timing)
	if !ok && p.timing.MaxPostConnect > 0 && p.clock >= p.timing.MaxPostConnect {
		o, ok = Undetermined, true
	}
	if ok && o == Machine && p.timing.MaxBeep > 0 {
		p.beep = &beeper{}
	}
	return o, ok
}

func near(hz, to, within float64) bool { return hz > to-within && hz < to+within }

// greeting tells people from machines: people say a word or two and wait.
type greeting struct {
	begun   bool
	voiced  time.Duration // the present utterance
	spoken  time.Duration // from the first word
	silence time.Duration
}

func (g *greeting) frame(voice bool, t Timing) (Outcome, bool) {
	if voice {
		if g.begun {
			g.spoken += g.silence
		}
		g.begun, g.silence = true, 0
		g.voiced += frame
		g.spoken += frame
	} else {
		g.silence += frame
	}
	switch {
	case !g.begun:
		return Silence, t.Silence > 0 && g.silence >= t.Silence
	case g.spoken >= t.MachineGreet, t.MaxVoice > 0 && g.voiced >= t.MaxVoice:
		return Machine, true
	case g.silence >= t.VoicePause:
		return Human, true
	case !voice && g.silence > 5*frame:
		g.voiced = 0
	}
	return "", false
}

// beeper waits for the end of a machine's greeting, and for the tone after which it
// records: a sine of at least 100 ms, and then nothing.
type beeper struct {
	waited, sine, quiet time.Duration
	hz                  float64
	paused, over        bool
}

func (b *beeper) frame(t Timing, voice bool, hz float64, sine bool) (Outcome, bool) {
	b.waited += frame
	switch {
	case b.over:
		return "", false
	case sine && hz > 350 && hz < 2500 && (b.sine == 0 || near(hz, b.hz, 20)):
		b.sine, b.hz, b.quiet = b.sine+frame, hz, 0
	case b.sine >= 100*time.Millisecond:
		b.over = true
		return Beep, true
	case voice:
		b.sine, b.quiet = 0, 0
	default:
		b.sine, b.quiet = 0, b.quiet+frame
	}
	switch {
	case b.waited >= t.MaxBeep:
		b.over = true
		return Undetermined, true
	case !b.paused && b.quiet >= t.VoicePause:
		b.paused = true
		return GreetingOver, true
	}
	return "", false
}
