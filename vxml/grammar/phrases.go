package grammar

import "strings"

// Phrases are at most n of the runs of words that the grammar is made of, each
// once, those of the root rule first: a hint for a recognizer that knows no
// grammars.
func (l *Linked) Phrases(n int) []string {
	c := phrases{most: n, seen: map[string]bool{}, rules: map[*rule]bool{}}
	c.rule(l, l.root)
	return c.out
}

type phrases struct {
	most  int
	out   []string
	seen  map[string]bool
	rules map[*rule]bool
}

// rule adds the phrases of a rule, then those of the rules that it refers to.
func (c *phrases) rule(l *Linked, r *rule) {
	if r == nil || c.rules[r] {
		return
	}
	c.rules[r] = true
	var words []string
	var refers []*rule
	for _, in := range r.code {
		switch in.op {
		case opToken:
			words = append(words, in.text)
			continue
		case opTag:
			continue
		case opCall:
			refers = append(refers, r.grammar.rules[in.text])
		case opForeign:
			refers = append(refers, l.lookup(in))
		}
		c.add(words)
		words = nil
	}
	c.add(words)
	for _, other := range refers {
		c.rule(l, other)
	}
}

func (c *phrases) add(words []string) {
	phrase := strings.Join(words, " ")
	if phrase == "" || c.seen[phrase] || len(c.out) >= c.most {
		return
	}
	c.seen[phrase] = true
	c.out = append(c.out, phrase)
}
