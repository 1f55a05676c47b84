// Package srgs reads speech grammars in the XML form of SRGS 1.0 for a
// recognizer that wants JSGF, and gives back what an utterance means by the
// grammar's tags. It takes what a local recognizer can honour and refuses the
// rest by name: a grammar that is half understood would lie about the caller.
package srgs

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Errors a server must tell apart. Both are wrapped with what was wrong.
var (
	ErrSyntax      = errors.New("grammar cannot be read")
	ErrUnsupported = errors.New("grammar uses what this recognizer does not support")
)

// Grammar is a compiled grammar.
type Grammar struct {
	Mode      string // "voice" or "dtmf"
	Language  string
	TagFormat string
	root      string
	rules     map[string]node
}

// node is an expansion of SRGS 1.0 section 2.
type node interface{}

type (
	sequence  []node
	choice    []node
	token     string // one word, in lower case
	tag       string // contents of a <tag>
	reference string // a rule of the same grammar
	special   string // NULL or VOID
	repeat    struct {
		body     node
		min, max int // max -1: without end
	}
)

// Words lists every word of the rules that the root reaches, sorted.
func (g *Grammar) Words() []string {
	found := map[string]bool{}
	g.walk(reference(g.root), func(n node) {
		if t, ok := n.(token); ok {
			found[string(t)] = true
		}
	})
	words := make([]string, 0, len(found))
	for w := range found {
		words = append(words, w)
	}
	slices.Sort(words)
	return words
}

// walk visits every expansion below n, rules once each.
func (g *Grammar) walk(n node, visit func(node)) {
	seen := map[reference]bool{}
	var down func(node)
	down = func(n node) {
		visit(n)
		switch n := n.(type) {
		case sequence:
			each(n, down)
		case choice:
			each(n, down)
		case repeat:
			down(n.body)
		case reference:
			if !seen[n] {
				seen[n] = true
				down(g.rules[string(n)])
			}
		}
	}
	down(n)
}

func each(nodes []node, f func(node)) {
	for _, n := range nodes {
		f(n)
	}
}

// check finds references to nothing and rules that contain themselves: a finite
// state recognizer cannot hold the latter.
func (g *Grammar) check() error {
	const open, done = 1, 2
	state := map[string]int{}
	var rule func(name string) error
	rule = func(name string) error {
		body, ok := g.rules[name]
		switch {
		case !ok:
			return fmt.Errorf("%w: no rule %q", ErrSyntax, name)
		case state[name] == open:
			return fmt.Errorf("%w: rule %q contains itself", ErrUnsupported, name)
		case state[name] == done:
			return nil
		}
		state[name] = open
		for _, r := range references(body) {
			if err := rule(r); err != nil {
				return err
			}
		}
		state[name] = done
		return nil
	}
	return rule(g.root)
}

// references lists the rules that an expansion names directly.
func references(n node) []string {
	var found []string
	switch n := n.(type) {
	case sequence:
		each(n, func(m node) { found = append(found, references(m)...) })
	case choice:
		each(n, func(m node) { found = append(found, references(m)...) })
	case repeat:
		found = references(n.body)
	case reference:
		found = []string{string(n)}
	}
	return found
}

// words splits text into lower-case tokens without punctuation. Quotes, which
// in SRGS join several words to one token, only matter to a lexicon.
func words(text string) []token {
	var found []token
	for _, f := range strings.Fields(text) {
		w := strings.ToLower(strings.Trim(f, `".,;:!?()`))
		if w != "" {
			found = append(found, token(w))
		}
	}
	return found
}
