// Package progress tells what becomes of calls that the platform makes, by what is
// heard of them (call progress analysis): before the answer the network's tones,
// afterwards whether a person, an answering machine or a fax has answered. While a
// leg is listened to, the media plane copies its audio to userspace; that ends as
// soon as a verdict stands.
package progress

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"mcp/control/media"
	"mcp/control/media/clock"
	"mcp/control/media/detect"
	"mcp/control/reporting"
)

// Profile says which mistake is the lesser evil.
type Profile string

// The profiles, as the Genesys Voice Platform has them (options
// mpc.cpa.priority_*).
const (
	Normal  Profile = "normal"
	Voice   Profile = "voice"   // rather a machine taken for a person
	Machine Profile = "machine" // rather a person taken for a machine
)

// Greeting is what tells people from machines.
type Greeting struct {
	Machine time.Duration // a greeting so long is a machine's
	Voice   time.Duration // so is a single utterance so long; 0: it does not count
	Pause   time.Duration // so long a pause ends a greeting
}

// Config is what an operator can set about the analysis.
type Config struct {
	// Timing is of all but the greeting, which the profile says.
	Timing   detect.Timing
	Profiles map[Profile]Greeting
	// Profile is that of calls that name none.
	Profile Profile
}

// DefaultConfig suits most networks.
func DefaultConfig() Config {
	t := detect.DefaultTiming()
	greeting := func(long time.Duration) Greeting {
		return Greeting{Machine: long, Voice: t.MaxVoice, Pause: t.VoicePause}
	}
	return Config{
		Timing: t, Profile: Normal,
		Profiles: map[Profile]Greeting{
			Normal: greeting(t.MachineGreet), Voice: greeting(2500 * time.Millisecond), Machine: greeting(1300 * time.Millisecond),
		},
	}
}

// timing is that of a profile.
func (c Config) timing(p Profile) (detect.Timing, error) {
	if p == "" {
		p = c.Profile
	}
	g, known := c.Profiles[p]
	if !known {
		return detect.Timing{}, fmt.Errorf("%q is none of the profiles normal, voice and machine", p)
	}
	t := c.Timing
	t.MachineGreet, t.MaxVoice, t.VoicePause = g.Machine, g.Voice, g.Pause
	return t, nil
}

// Until is how long a call is listened to.
type Until string

// The ends of an analysis. The last two concern machines only.
const (
	Verdict      Until = ""         // until it is known who has answered
	GreetingOver Until = "greeting" // until a machine's greeting is over
	Beep         Until = "beep"     // until a machine's beep, or for as long as it may take
)

// Options say how a call is analysed.
type Options struct {
	Profile Profile // empty: that of the configuration
	Until   Until
}

// ErrUnavailable says that calls cannot be analysed here.
var ErrUnavailable = errors.New("calls are not analysed here")

// Lab analyses calls. A nil Lab analyses none.
type Lab struct {
	config  Config
	metrics *metrics
}

// New makes a Lab; reg may be nil.
func New(c Config, reg Registerer) *Lab { return &Lab{config: c, metrics: newMetrics(reg)} }

// Check tells what is wrong with options.
func (l *Lab) Check(o Options) error {
	if l == nil {
		return ErrUnavailable
	}
	switch o.Until {
	case Verdict, GreetingOver, Beep:
	default:
		return fmt.Errorf("%q is neither greeting nor beep", o.Until)
	}
	_, err := l.config.timing(o.Profile)
	return err
}

// Subject is a call that is analysed.
type Subject struct {
	Leg      *media.Leg
	Clock    *clock.Clock    // of the leg's session
	Answered <-chan struct{} // closed at the answer
	Trail    *reporting.Trail
	Log      *slog.Logger
}

// Result is what became of a call.
type Result struct {
	Outcome  detect.Outcome
	Answered bool          // it was heard after the answer
	Beep     bool          // a machine's beep was heard
	After    time.Duration // from the answer, or from the call where there was none, until Outcome was known
}

// Failed tells whether the network said that nobody will answer.
func (r Result) Failed() bool {
	switch r.Outcome {
	case detect.Busy, detect.FastBusy, detect.RingBack, detect.NoCircuit, detect.Intercept, detect.Reorder, detect.Vacant:
		return true
	}
	return false
}

// FailedError says that a call was given up because the tones of the network tell that
// nobody will answer.
type FailedError struct{ Outcome detect.Outcome }

func (e *FailedError) Error() string { return "the network says " + string(e.Outcome) }
