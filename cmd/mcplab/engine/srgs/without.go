package srgs

import (
	"maps"
	"slices"
	"strings"
)

// Without is the grammar without one of its alternatives: the first without which
// it does not take the utterance any more. There may be none that it can do
// without; then it returns false.
func (g *Grammar) Without(utterance string) (*Grammar, bool) {
	words := strings.Fields(strings.ToLower(utterance))
	for _, name := range slices.Sorted(maps.Keys(g.rules)) {
		for _, victim := range alternatives(g.rules[name]) {
			left := *g
			left.rules = maps.Clone(g.rules)
			left.rules[name] = without(g.rules[name], victim)
			if _, takes := left.derive(words); !takes && len(left.Words()) > 0 {
				return &left, true
			}
		}
	}
	return nil, false
}

// alternatives are the entries of all choices below n that have several, those of
// outer ones first.
func alternatives(n node) []*node {
	var all []*node
	var down func(node)
	down = func(n node) {
		switch n := n.(type) {
		case sequence:
			each(n, down)
		case repeat:
			down(n.body)
		case choice:
			if len(n) > 1 {
				for i := range n {
					all = append(all, &n[i])
				}
			}
			each(n, down)
		}
	}
	down(n)
	return all
}

// without copies n but for one entry of a choice.
func without(n node, victim *node) node {
	switch n := n.(type) {
	case sequence:
		out := make(sequence, len(n))
		for i := range n {
			out[i] = without(n[i], victim)
		}
		return out
	case repeat:
		n.body = without(n.body, victim)
		return n
	case choice:
		var out choice
		for i := range n {
			if &n[i] != victim {
				out = append(out, without(n[i], victim))
			}
		}
		return out
	}
	return n
}
