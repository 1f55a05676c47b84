package grammar

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"mcp/vxml/near"
)

// Loader returns the compiled grammar of a URI.
type Loader func(ctx context.Context, uri string) (*Grammar, error)

// Linked is a grammar with everything it refers to.
type Linked struct {
	*Grammar
	root    *rule
	foreign map[string]*Grammar
	began   sync.Once
	start   Matcher // where every match begins
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
		return nil, &Error{URI: g.URI, Text: fmt.Sprintf("there is no rule %q%s", start, near.Hint(start, g.names()))}
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
				return nil, &Error{URI: g.URI, Limit: true, Text: fmt.Sprintf("refers to more than %d grammars", maxGrammars)}
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

// names are those of the rules, for messages.
func (g *Grammar) names() []string { return slices.Sorted(maps.Keys(g.rules)) }

// public are the names of the rules that other grammars may use.
func (g *Grammar) public() []string {
	return slices.DeleteFunc(g.names(), func(id string) bool { return !g.rules[id].public && id != g.Root })
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
	case other.rules[in.rule] != nil && l.lookup(in) == nil:
		return fmt.Sprintf("where %q is not a public rule: give it scope=\"public\"", in.rule)
	case l.lookup(in) == nil:
		return fmt.Sprintf("which has no rule %q%s", in.rule, near.Hint(in.rule, other.public()))
	case other.Mode != g.Mode:
		return fmt.Sprintf("whose mode is %s", other.Mode)
	case in.show == (1 - other.Form).mediaType():
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

// endless finds a rule that only leads back to itself, and so can match nothing: one
// of which no way leads to its end.
func (l *Linked) endless() error {
	e := ending{linked: l, ends: make(map[*rule]bool), waiting: make(map[*rule][]spot), seen: make(map[*rule][]bool)}
	for _, g := range l.foreign {
		for _, r := range g.rules {
			e.seen[r] = make([]bool, len(r.code))
			e.pending = append(e.pending, spot{r, 0})
		}
	}
	for len(e.pending) > 0 {
		last := len(e.pending) - 1
		at := e.pending[last]
		e.pending = e.pending[:last]
		e.visit(at)
	}
	for r := range e.seen {
		if !e.ends[r] {
			return &Error{URI: r.grammar.URI, Line: r.line, Text: fmt.Sprintf("rule %q refers to itself without end", r.id)}
		}
	}
	return nil
}

// spot is a place in a rule.
type spot struct {
	rule *rule
	pc   int
}

// ending follows all rules to their ends, each place once. Where a rule is called
// whose end is not known yet, it waits for that.
type ending struct {
	linked  *Linked
	ends    map[*rule]bool
	waiting map[*rule][]spot
	seen    map[*rule][]bool
	pending []spot
}

func (e *ending) visit(at spot) {
	if e.seen[at.rule][at.pc] || e.ends[at.rule] {
		return
	}
	e.seen[at.rule][at.pc] = true
	next := spot{at.rule, at.pc + 1}
	switch in := at.rule.code[at.pc]; in.op {
	case opReturn, opVoid:
		e.ends[at.rule] = true
		e.pending = append(e.pending, e.waiting[at.rule]...)
	case opSplit:
		for _, pc := range in.to {
			e.pending = append(e.pending, spot{at.rule, pc})
		}
	case opCall, opForeign:
		callee := at.rule.grammar.rules[in.text]
		if in.op == opForeign {
			callee = e.linked.lookup(in)
		}
		if !e.ends[callee] {
			e.waiting[callee] = append(e.waiting[callee], next)
			return
		}
		e.pending = append(e.pending, next)
	default:
		e.pending = append(e.pending, next)
	}
}
