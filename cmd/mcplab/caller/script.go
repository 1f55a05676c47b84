package caller

import (
	"fmt"
	"strings"
	"time"
)

// Verb is what a step of a script does.
type Verb string

// The verbs of a script.
const (
	Listen Verb = "listen" // until the far end has spoken and fallen silent
	Hear   Verb = "hear"   // until the far end has begun to speak
	Say    Verb = "say"    // a text, aloud
	Press  Verb = "dtmf"   // digits
	Wait   Verb = "wait"   // a duration
	Await  Verb = "await"  // until the far end hangs up
	HangUp Verb = "hangup" // now
)

// Step is one thing a caller does.
type Step struct {
	Verb  Verb
	Text  string        // of Say; digits of Press
	After time.Duration // of Wait; silence that ends Listen, zero for the default
}

// ParseScript reads steps separated by semicolons or line ends, such as
// "listen; say sales; listen 2s; dtmf 1234; await".
func ParseScript(text string) ([]Step, error) {
	var steps []Step
	for _, line := range strings.FieldsFunc(text, func(r rune) bool { return r == ';' || r == '\n' }) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		step, err := parseStep(line)
		if err != nil {
			return nil, fmt.Errorf("script step %q: %w", line, err)
		}
		steps = append(steps, step)
	}
	if len(steps) == 0 {
		return nil, fmt.Errorf("script is empty")
	}
	return steps, nil
}

func parseStep(line string) (Step, error) {
	verb, rest, _ := strings.Cut(line, " ")
	step := Step{Verb: Verb(verb), Text: strings.TrimSpace(rest)}
	switch step.Verb {
	case Say:
		if step.Text == "" {
			return step, fmt.Errorf("nothing to say")
		}
		return step, nil
	case Press:
		if step.Text == "" || strings.Trim(step.Text, keys) != "" {
			return step, fmt.Errorf("keys are %s", keys)
		}
		return step, nil
	case Wait:
		return step.timed()
	case Listen:
		if step.Text == "" {
			return step, nil
		}
		return step.timed()
	case Await, HangUp, Hear:
		if step.Text != "" {
			return step, fmt.Errorf("takes nothing")
		}
		return step, nil
	}
	return step, fmt.Errorf("unknown verb; known are listen, hear, say, dtmf, wait, await, hangup")
}

func (s Step) timed() (Step, error) {
	d, err := time.ParseDuration(s.Text)
	if err == nil && d < 0 {
		err = fmt.Errorf("negative duration")
	}
	s.After, s.Text = d, ""
	return s, err
}
