package srgs

import (
	"encoding/xml"
	"strconv"
	"strings"
)

// Meaning is the semantic result of an utterance: a string, float64, bool or *Object.
type Meaning any

// Object is a semantic result with properties, in the order they were set.
type Object struct {
	names  []string
	values map[string]Meaning
}

// Get returns a property; nil when there is none.
func (o *Object) Get(name string) Meaning { return o.values[name] }

func (o *Object) set(name string, v Meaning) {
	if o.values == nil {
		o.values = map[string]Meaning{}
	}
	if _, ok := o.values[name]; !ok {
		o.names = append(o.names, name)
	}
	o.values[name] = v
}

// Instance renders a meaning as the content of an NLSML <instance>: properties
// become elements, everything else is text.
func Instance(m Meaning) string {
	switch m := m.(type) {
	case *Object:
		var b strings.Builder
		for _, name := range m.names {
			b.WriteString("<" + name + ">" + Instance(m.values[name]) + "</" + name + ">")
		}
		return b.String()
	default:
		var b strings.Builder
		// Writing to a strings.Builder cannot fail.
		_ = xml.EscapeText(&b, []byte(text(m)))
		return b.String()
	}
}

func text(m Meaning) string {
	switch m := m.(type) {
	case string:
		return m
	case float64:
		return strconv.FormatFloat(m, 'f', -1, 64)
	case bool:
		return strconv.FormatBool(m)
	case *Object:
		return Instance(m)
	}
	return ""
}

// Interpret tells whether the utterance belongs to the grammar, and what it
// means: by the grammar's tags, or the words themselves when it has none.
func (g *Grammar) Interpret(utterance string) (Meaning, bool, error) {
	steps, ok := g.derive(strings.Fields(strings.ToLower(utterance)))
	if !ok {
		return nil, false, nil
	}
	e := &evaluator{literal: g.literalTags()}
	e.enter("")
	for _, s := range steps {
		if err := e.step(s); err != nil {
			return nil, true, err
		}
	}
	return e.stack[0].latest, true, nil
}

// literalTags tells whether tags are plain strings (SISR 1.0 section 5) rather
// than scripts. Grammars without a tag-format are taken by the look of them.
func (g *Grammar) literalTags() bool {
	if g.TagFormat != "" {
		return strings.HasSuffix(g.TagFormat, "-literals")
	}
	literal := true
	g.walk(reference(g.root), func(n node) {
		if t, ok := n.(tag); ok && looksLikeScript(string(t)) {
			literal = false
		}
	})
	return literal
}

func looksLikeScript(t string) bool {
	target, _, assigns := strings.Cut(t, "=")
	target = strings.TrimSuffix(strings.TrimSpace(target), "+")
	target, _, _ = strings.Cut(strings.TrimSpace(target), ".")
	return assigns && target == "out"
}

// evaluator runs a derivation's tags, rule by rule.
type evaluator struct {
	literal bool
	stack   []*scope
}

// scope is a rule being evaluated (SISR 1.0 section 6).
type scope struct {
	name   string
	text   []string
	out    Meaning // nil until a tag sets it
	latest Meaning // result of the rule referenced last
	said   string  // words of the rule referenced last
	rules  map[string]Meaning
}

func (e *evaluator) top() *scope { return e.stack[len(e.stack)-1] }

func (e *evaluator) enter(name string) {
	e.stack = append(e.stack, &scope{name: name, rules: map[string]Meaning{}})
}

func (e *evaluator) step(s step) error {
	switch s.kind {
	case stepEnter:
		e.enter(s.text)
	case stepLeave:
		e.leave()
	case stepWord:
		e.top().text = append(e.top().text, s.text)
	case stepTag:
		if e.literal {
			e.top().out = s.text
			return nil
		}
		return runScript(s.text, e.top())
	}
	return nil
}

// leave hands a rule's result to the rule that referenced it. A rule without
// tags has the result of its last reference, or else its own words.
func (e *evaluator) leave() {
	done := e.top()
	e.stack = e.stack[:len(e.stack)-1]
	said := strings.Join(done.text, " ")
	result := done.out
	if result == nil {
		result = done.latest
	}
	if result == nil {
		result = said
	}
	above := e.top()
	above.text = append(above.text, done.text...)
	above.latest, above.said = result, said
	above.rules[done.name] = result
}
