package srgs

import (
	"fmt"
	"slices"
	"strings"
)

// JSGF writes the grammars as one JSGF grammar whose public rule takes an
// utterance of any of them. Tags are left out: Interpret evaluates them later.
// A filler, where not empty, names words of which any sequence is accepted as
// well, so that speech outside the grammars has somewhere to go.
func JSGF(grammars []*Grammar, filler []string) string {
	w := &jsgfWriter{}
	var roots []string
	for i, g := range grammars {
		roots = append(roots, w.grammar(i, g))
	}
	if len(filler) > 0 {
		w.define("filler", "( "+strings.Join(filler, " | ")+" )+")
		roots = append(roots, "<filler>")
	}
	return "#JSGF V1.0;\ngrammar utterance;\npublic <utterance> = " +
		strings.Join(roots, " | ") + ";\n" + w.rules.String()
}

type jsgfWriter struct {
	rules strings.Builder
	names map[string]string // of the grammar being written: SRGS name to JSGF name
}

func (w *jsgfWriter) define(name, body string) {
	fmt.Fprintf(&w.rules, "<%s> = %s;\n", name, body)
}

// grammar writes the rules the root reaches and returns a reference to the root.
// SRGS allows characters in names that JSGF does not, so rules are numbered.
func (w *jsgfWriter) grammar(index int, g *Grammar) string {
	w.names = map[string]string{}
	var order []string
	g.walk(reference(g.root), func(n node) {
		if r, ok := n.(reference); ok && !slices.Contains(order, string(r)) {
			w.names[string(r)] = fmt.Sprintf("g%dr%d", index, len(order))
			order = append(order, string(r))
		}
	})
	for _, name := range order {
		w.define(w.names[name], w.expand(g.rules[name]))
	}
	return "<" + w.names[g.root] + ">"
}

func (w *jsgfWriter) expand(n node) string {
	switch n := n.(type) {
	case token:
		return string(n)
	case reference:
		return "<" + w.names[string(n)] + ">"
	case special:
		return "<" + string(n) + ">"
	case sequence:
		return w.join(n, " ", "<NULL>")
	case choice:
		return w.join(n, " | ", "<VOID>")
	case repeat:
		return w.repeated(n)
	}
	return "<NULL>"
}

func (w *jsgfWriter) join(nodes []node, separator, none string) string {
	var parts []string
	for _, n := range nodes {
		if _, isTag := n.(tag); !isTag {
			parts = append(parts, w.expand(n))
		}
	}
	switch len(parts) {
	case 0:
		return none
	case 1:
		return parts[0]
	}
	return "( " + strings.Join(parts, separator) + " )"
}

// repeated unrolls a counted repeat: "2-3" of x becomes x x [ x ], with further
// options nested so that each count has one derivation only.
func (w *jsgfWriter) repeated(r repeat) string {
	body := w.expand(r.body)
	var parts []string
	for range r.min {
		parts = append(parts, body)
	}
	tail := ""
	if r.max < 0 {
		tail = "( " + body + " )*"
	}
	for range max(r.max-r.min, 0) {
		tail = "[ " + strings.TrimSpace(body+" "+tail) + " ]"
	}
	if tail != "" {
		parts = append(parts, tail)
	}
	if len(parts) == 0 {
		return "<NULL>"
	}
	return "( " + strings.Join(parts, " ") + " )"
}
