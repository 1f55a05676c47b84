package line

import "time"

// Moment is what a Turn has come to.
type Moment uint8

// The moments of a turn, in the order in which they may come. Paused may come
// several times, once for each pause; the last three end the turn.
const (
	Nothing  Moment = iota
	Started         // input has begun
	Paused          // silence for the complete timeout: time to see whether it matches
	Finished        // silence for the incomplete timeout
	TooLong         // input for longer than the maximum
	NoInput         // no input in time
)

// Timeouts of a turn (RFC 6787 section 9.4). All are positive.
type Timeouts struct {
	NoInput    time.Duration
	Complete   time.Duration
	Incomplete time.Duration
	MaxSpeech  time.Duration
}

// preRoll is how much audio from before the start of input is kept: words begin
// softly.
const preRoll = 300 / FrameMillis

// startFrames of the last startWindow must be speech for input to begin.
const (
	startFrames = 3
	startWindow = 6
)

// Turn finds the beginning and the end of what a caller says, counting time in
// frames. It is not safe for concurrent use.
type Turn struct {
	timeouts Timeouts
	margin   float64
	loud     bool // so was the last frame
	timing   bool // the no-input timer runs
	waited   time.Duration
	recent   []bool // the last startWindow frames, before input has begun
	audio    []int16
	started  bool
	spoken   time.Duration // since the start of input
	silent   time.Duration // since the last speech
	paused   bool          // this pause was told
}

// NewTurn begins a turn. The no-input timer runs when timing is set. Sensitivity
// is MRCP's: at 0 only what stands 20 dB out of the noise is speech, at 1 what
// stands 4 dB out.
func NewTurn(t Timeouts, timing bool, sensitivity float64) *Turn {
	return &Turn{timeouts: t, timing: timing, margin: 20 - 16*min(max(sensitivity, 0), 1)}
}

// StartTimer starts the no-input timer.
func (t *Turn) StartTimer() { t.timing = true }

// Audio is what was heard: some of what came before the input, and all since.
func (t *Turn) Audio() []int16 { return t.audio }

// Reset forgets what was heard, as if the turn began anew with its timer as it is.
func (t *Turn) Reset() {
	*t = Turn{timeouts: t.timeouts, margin: t.margin, timing: t.timing, waited: t.waited}
}

// Feed takes the next frame and by how much it stands out of the noise.
func (t *Turn) Feed(frame []int16, excess float64) Moment {
	t.audio = append(t.audio, frame...)
	// A single loud frame between quiet ones is a click.
	loud := excess > t.margin
	speech := loud && t.loud
	t.loud = loud
	if !t.started {
		return t.await(speech)
	}
	t.spoken += Frame
	if speech {
		t.silent, t.paused = 0, false
	} else {
		t.silent += Frame
	}
	switch {
	case t.silent >= t.timeouts.Complete && !t.paused:
		t.paused = true
		return Paused
	case t.silent >= t.timeouts.Incomplete:
		return Finished
	case t.spoken >= t.timeouts.MaxSpeech:
		return TooLong
	}
	return Nothing
}

func (t *Turn) await(speech bool) Moment {
	if excess := len(t.audio) - preRoll*FrameSamples; excess > 0 {
		t.audio = t.audio[excess:]
	}
	t.recent = append(t.recent, speech)
	if len(t.recent) > startWindow {
		t.recent = t.recent[1:]
	}
	active := 0
	for _, s := range t.recent {
		if s {
			active++
		}
	}
	if active >= startFrames {
		t.started = true
		return Started
	}
	if t.timing {
		if t.waited += Frame; t.waited >= t.timeouts.NoInput {
			return NoInput
		}
	}
	return Nothing
}
