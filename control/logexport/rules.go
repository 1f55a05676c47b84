// Package logexport counts what the log tells, by rules that name classes of
// trouble: an operator's alerts hang on the counters and not on words. It counts the
// lines of this process as they are written, or those of a log file as it grows.
package logexport

import (
	_ "embed"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"

	"github.com/goccy/go-yaml"
)

//go:embed rules.yaml
var defaultRules []byte

// Rule says which lines belong to a class.
type Rule struct {
	// Class names the counter, as the product's alerts are called.
	Class string `yaml:"class"`
	// Level is the least level of a line: debug, info, warn or error; warn when empty.
	Level string `yaml:"level"`
	// Message is a regular expression that the message must match; empty: any does.
	Message string `yaml:"message"`
	// Where are regular expressions that attributes must match. An attribute that is
	// not there matches none.
	Where map[string]string `yaml:"where"`
}

// Rules are rules made ready. A line is counted for each class that has a rule it
// satisfies.
type Rules struct {
	rules   []rule
	classes []string
	least   slog.Level // below it no rule applies
	known   *messages
}

type rule struct {
	class   int
	level   slog.Level
	message pattern
	where   []condition
}

type condition struct {
	key   string
	value pattern
}

// maxRules bounds what each line is held against.
const maxRules = 1000

// Default are the rules for this platform's own log.
func Default() (*Rules, error) { return Parse(defaultRules) }

// Parse reads rules from YAML: a list under the key rules.
func Parse(text []byte) (*Rules, error) {
	var file struct {
		Rules []Rule `yaml:"rules"`
	}
	if err := yaml.UnmarshalWithOptions(text, &file, yaml.Strict()); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("log rules: %w", err)
	}
	if len(file.Rules) > maxRules {
		return nil, fmt.Errorf("log rules: %d are more than %d", len(file.Rules), maxRules)
	}
	r := &Rules{least: slog.LevelError, known: &messages{concerned: map[message][]rule{}}}
	for n, each := range file.Rules {
		made, err := each.compile()
		if err != nil {
			return nil, fmt.Errorf("log rule %d: %w", n+1, err)
		}
		made.class = slices.Index(r.classes, each.Class)
		if made.class < 0 {
			made.class = len(r.classes)
			r.classes = append(r.classes, each.Class)
		}
		r.rules = append(r.rules, made)
		r.least = min(r.least, made.level)
	}
	return r, nil
}

func (r Rule) compile() (rule, error) {
	made := rule{level: slog.LevelWarn}
	if r.Class == "" {
		return made, errors.New("class: a rule needs one")
	}
	if r.Level != "" {
		if err := made.level.UnmarshalText([]byte(r.Level)); err != nil {
			return made, fmt.Errorf("level: %q is none of debug, info, warn, error", r.Level)
		}
	}
	var err error
	if made.message, err = compile(r.Message); err != nil {
		return made, fmt.Errorf("message: %w", err)
	}
	for key, text := range r.Where {
		value, err := compile(text)
		if err != nil {
			return made, fmt.Errorf("where: %s: %w", key, err)
		}
		made.where = append(made.where, condition{key, value})
	}
	return made, nil
}

// Line is a line of a log.
type Line struct {
	Level   slog.Level
	Message string
	Attrs   map[string]string
}

// match gives each class that a line belongs to, once. Which rules concern it is known.
func (r *Rules) match(l Line, concerned []rule, found func(class int)) {
	seen := -1
	for _, each := range concerned {
		if each.class != seen && each.holds(l) {
			seen = each.class
			found(each.class)
		}
	}
}

// concern gives the rules that a line may satisfy, depending on its attributes.
func (r *Rules) concern(level slog.Level, text string) []rule {
	if level < r.least {
		return nil
	}
	return r.known.look(message{level, text}, r.concerning)
}

// concerning tries which rules concern a message.
func (r *Rules) concerning(m message) (concerned []rule) {
	for _, each := range r.rules {
		if m.level >= each.level && each.message.matches(m.text) {
			concerned = append(concerned, each)
		}
	}
	return concerned
}

// holds tells whether the attributes of a line that concerns the rule satisfy it.
func (r rule) holds(l Line) bool {
	for _, c := range r.where {
		value, there := l.Attrs[c.key]
		if !there || !c.value.matches(value) {
			return false
		}
	}
	return true
}
