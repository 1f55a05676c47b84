package voice

import (
	"sync/atomic"

	"mcp/control/reporting"
	"mcp/speech"
)

// Usage counts what a call asked of speech engines. Its zero value counts from
// nothing.
type Usage struct {
	Syntheses, Recognitions, Failures atomic.Int64

	bots     atomic.Int64 // sessions with voicebots
	outcomes [speech.TooMuchSpeech + 1]atomic.Int64
}

// Ended counts how a recognition ended.
func (u *Usage) Ended(o speech.Outcome) { u.outcomes[o].Add(1) }

// Report is the usage for the call's record; nil when there was none.
func (u *Usage) Report() *reporting.Speech {
	s := reporting.Speech{
		Recognitions: int(u.Recognitions.Load()),
		Matches:      int(u.outcomes[speech.Match].Load()),
		NoMatches:    int(u.outcomes[speech.NoMatch].Load() + u.outcomes[speech.TooMuchSpeech].Load()),
		NoInputs:     int(u.outcomes[speech.NoInput].Load()),
		Syntheses:    int(u.Syntheses.Load()),
		Failures:     int(u.Failures.Load()),
		Bots:         int(u.bots.Load()),
	}
	if s == (reporting.Speech{}) {
		return nil // and nothing is made
	}
	made := s
	return &made
}
