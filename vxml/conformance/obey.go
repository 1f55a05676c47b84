package conformance

import (
	"regexp"
	"strings"
)

// turns is how often an obedient caller does something before giving up.
const turns = 60

// obedient is a caller who does what the last prompts said.
type obedient struct {
	turns int
	weary bool
	steps []string // what was done
}

// instruction finds what a prompt asks for.
type instruction struct {
	pattern *regexp.Regexp
	step    func(words string) string
}

var instructions = []instruction{
	{regexp.MustCompile(`(?i)\bsay nothing\b|\bno input expected\b`), func(string) string { return "silence" }},
	{regexp.MustCompile(`(?i)\bhang up\b`), func(string) string { return "hangup" }},
	{regexp.MustCompile(`(?i)\bsay something unrecognizable\b`), func(string) string { return "say:xyzzy plugh" }},
	{regexp.MustCompile(`(?i)\bsentence containing the word '([^']+)'`), func(word string) string {
		return "say:yesterday they spoke about " + word + " for a while"
	}},
	{regexp.MustCompile(`(?i)\brecite\b`), func(string) string { return "say:humpty dumpty sat on a wall" }},
	{regexp.MustCompile(`(?i)\bpress\s+'([^']+)'`), func(keys string) string { return "dtmf:" + keys }},
	{regexp.MustCompile(`(?i)\bpress\s+([0-9*#]+)`), func(keys string) string { return "dtmf:" + keys }},
	{regexp.MustCompile(`(?i)\bsay\s+'([^']+)'`), func(words string) string { return "say:" + words }},
	{regexp.MustCompile(`(?i)\bsay\s+([^.']+?)(?:\s+again|\s+one more time)?\s*(?:\.|$)`), func(words string) string { return "say:" + words }},
}

// answer is the next step.
func (o *obedient) answer(said []string) string {
	step := o.obey(said)
	o.steps = append(o.steps, step)
	return step
}

// obey does what the last prompt that asks for something asks for.
func (o *obedient) obey(said []string) string {
	if o.turns++; o.turns > turns {
		o.weary = true
		return "hangup"
	}
	for i := len(said) - 1; i >= 0; i-- {
		text := strings.NewReplacer("‘", "'", "’", "'", "“", "'", "”", "'", `"`, "'").Replace(said[i])
		for _, known := range instructions {
			if m := known.pattern.FindStringSubmatch(text); m != nil {
				return known.step(m[len(m)-1])
			}
		}
	}
	return "silence"
}
