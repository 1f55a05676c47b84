package grammar

import (
	"context"
	"fmt"
)

// Loader returns the compiled grammar of a URI.
type Loader func(ctx context.Context, uri string) (*Grammar, error)

// Linked is a grammar with everything it refers to.
type Linked struct {
	*Grammar
	root    *rule
	foreign map[string]*Grammar
}

// maxGrammars bounds how many documents one grammar may draw in.
const maxGrammars = 64

// Link loads the documents that g refers to, and theirs, and checks that every
// reference leads to a rule. The rule to match is g's root, or the one named.
func Link(ctx context.Context, g *Grammar, start string, load Loader) (*Linked, error) {
	if known, ok := g.linked.Load(start); ok {
		return known.(*Linked), nil
	}
	l, err := link(ctx, g, start, load)
	if err == nil && len(g.externals) == 0 {
		g.linked.Store(start, l) // there are no more of them than the grammar has rules
	}
	return l, err
}

func link(ctx context.Context, g *Grammar, start string, load Loader) (*Linked, error) {
	l := &Linked{Grammar: g, foreign: map[string]*Grammar{g.URI: g}}
	if start == "" {
		start = g.Start()
	}
	if start == "" {
		return nil, &Error{URI: g.URI, Text: "the grammar names no root rule"}
	}
	if l.root = g.rules[start]; l.root == nil {
		return nil, &Error{URI: g.URI, Text: fmt.Sprintf("there is no rule %q", start)}
	}
	pending := []*Grammar{g}
	for len(pending) > 0 {
		next := pending[0]
		pending = pending[1:]
		for _, uri := range next.externals {
			if l.foreign[uri] != nil {
				continue
			}
			if len(l.foreign) == maxGrammars {
				return nil, &Error{URI: g.URI, Text: fmt.Sprintf("refers to more than %d grammars", maxGrammars)}
			}
			other, err := load(ctx, uri)
			if err != nil {
				return nil, err
			}
			l.foreign[uri] = other
			pending = append(pending, other)
		}
	}
	return l, l.check()
}

// Start is the rule to match when nobody names one: the root or, since authors
// leave it out where there is no choice, the only rule or the only public one.
func (g *Grammar) Start() string {
	if g.Root != "" {
		return g.Root
	}
	var public, all []string
	for id, r := range g.rules {
		all = append(all, id)
		if r.public {
			public = append(public, id)
		}
	}
	switch {
	case len(all) == 1:
		return all[0]
	case len(public) == 1:
		return public[0]
	}
	return ""
}

// check holds what only shows once every grammar is there.
func (l *Linked) check() error {
	for _, g := range l.foreign {
		for _, r := range g.rules {
			for _, in := range r.code {
				if in.op != opForeign {
					continue
				}
				if text := l.mismatch(g, in); text != "" {
					return &Error{URI: g.URI, Line: in.line, Text: fmt.Sprintf("rule %q refers to %s, %s", r.id, in.text, text)}
				}
			}
		}
	}
	return l.endless()
}

// mismatch says what is wrong with a foreign reference; empty when nothing is.
func (l *Linked) mismatch(g *Grammar, in inst) string {
	other := l.foreign[in.text]
	switch {
	case l.lookup(in) == nil && in.rule == "":
		return "which names no root rule"
	case l.lookup(in) == nil:
		return fmt.Sprintf("where %q is not a public rule", in.rule)
	case other.Mode != g.Mode:
		return fmt.Sprintf("whose mode is %s", other.Mode)
	case in.show != "" && in.show != other.Form.mediaType():
		return fmt.Sprintf("which is not %s", in.show)
	}
	return ""
}

// lookup resolves a foreign reference: a public rule, or the root (SRGS section 2.2.2).
func (l *Linked) lookup(in inst) *rule {
	g := l.foreign[in.text]
	if g == nil {
		return nil
	}
	if in.rule == "" {
		return g.rules[g.Root]
	}
	r := g.rules[in.rule]
	if r == nil || !r.public && in.rule != g.Root {
		return nil
	}
	return r
}

// endless finds a rule that only leads back to itself, and so can match nothing:
// rules are marked that have a way to their end through rules marked before.
func (l *Linked) endless() error {
	ends := make(map[*rule]bool)
	for found := true; found; {
		found = false
		for _, g := range l.foreign {
			for _, r := range g.rules {
				if !ends[r] && l.ends(r, ends) {
					ends[r], found = true, true
				}
			}
		}
	}
	for _, g := range l.foreign {
		for _, r := range g.rules {
			if !ends[r] {
				return &Error{URI: g.URI, Line: r.line, Text: fmt.Sprintf("rule %q refers to itself without end", r.id)}
			}
		}
	}
	return nil
}

func (l *Linked) ends(r *rule, known map[*rule]bool) bool {
	seen := make([]bool, len(r.code))
	pending := []int{0}
	for len(pending) > 0 {
		pc := pending[len(pending)-1]
		pending = pending[:len(pending)-1]
		if seen[pc] {
			continue
		}
		seen[pc] = true
		switch in := r.code[pc]; {
		case in.op == opReturn, in.op == opVoid:
			return true
		case in.op == opSplit:
			pending = append(pending, in.to...)
		case in.op == opCall && !known[r.grammar.rules[in.text]], in.op == opForeign && !known[l.lookup(in)]:
		default:
			pending = append(pending, pc+1)
		}
	}
	return false
}
