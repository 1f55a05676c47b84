package grammar

import "strings"

// Tree is the logical parse of a match: a rule with, in order, the tokens, tags
// and rules within it (SRGS appendix H).
type Tree struct {
	Rule   string
	URI    string // by which another grammar refers to the rule; empty within one
	Format TagFormat
	Mode   Mode
	Header []string // the grammar's own tags
	Nodes  []Node
}

// Node is a token, a tag or a rule; exactly one is set.
type Node struct {
	Token   string // as the grammar spells it
	Garbage bool   // the token was taken by GARBAGE
	Tag     *string
	Rule    *Tree
}

// Tree returns the preferred reading of a complete match, or nil.
func (m *Matcher) Tree() *Tree {
	if len(m.done) == 0 {
		return nil
	}
	return build(m.done[0])
}

// Trees returns the readings of a complete match that differ, the preferred first.
func (m *Matcher) Trees() []*Tree {
	var out []*Tree
	known := make(map[string]bool)
	for _, e := range m.done {
		t := build(e)
		if parse := t.String(); !known[parse] {
			known[parse] = true
			out = append(out, t)
		}
	}
	return out
}

func build(last *event) *Tree {
	size := 0
	for e := last; e != nil; e = e.prev {
		size++
	}
	events := make([]*event, size)
	for e := last; e != nil; e = e.prev {
		size--
		events[size] = e
	}
	var open []*Tree
	for _, e := range events[:len(events)-1] { // the last is the root's end
		var top *Tree
		if len(open) > 0 {
			top = open[len(open)-1]
		}
		switch e.kind {
		case entered:
			g := e.rule.grammar
			t := &Tree{Rule: e.rule.id, URI: e.text, Format: g.TagFormat, Mode: g.Mode, Header: g.Header}
			if top != nil {
				top.Nodes = append(top.Nodes, Node{Rule: t})
			}
			open = append(open, t)
		case heard, skipped:
			top.Nodes = append(top.Nodes, Node{Token: e.text, Garbage: e.kind == skipped})
		case tagged:
			top.Nodes = append(top.Nodes, Node{Tag: &e.text})
		case left:
			open = open[:len(open)-1]
		}
	}
	return open[0]
}

// Match reads a whole text and returns its parse, or nil when it does not match.
func (l *Linked) Match(text string) *Tree {
	if all := l.MatchAll(text, 1); len(all) > 0 {
		return all[0]
	}
	return nil
}

// MatchAll reads a whole text and returns at most n different parses of it, the
// preferred first.
func (l *Linked) MatchAll(text string, n int) []*Tree {
	m := l.matcher(max(n, 1))
	for _, t := range l.Mode.Tokens(text) {
		if m.Feed(t) == Failed {
			return nil
		}
	}
	return m.Trees()
}

// String writes the parse as SRGS appendix H does: $rule["token",{!{tag}!},$<uri>[]].
func (t *Tree) String() string {
	var b strings.Builder
	t.write(&b)
	return b.String()
}

func (t *Tree) write(b *strings.Builder) {
	if t.URI != "" {
		b.WriteString("$<" + t.URI + ">[")
	} else {
		b.WriteString("$" + t.Rule + "[")
	}
	comma := ""
	for _, n := range t.Nodes {
		if n.Garbage {
			continue
		}
		b.WriteString(comma)
		comma = ","
		switch {
		case n.Rule != nil:
			n.Rule.write(b)
		case n.Tag != nil:
			b.WriteString("{!{" + *n.Tag + "}!}")
		default:
			b.WriteString(`"` + n.Token + `"`)
		}
	}
	b.WriteByte(']')
}

// Tokens returns the words or keys below t as they were said, not as the grammar
// spells them: two grammars that differ in case only mean the same.
func (t *Tree) Tokens() []string {
	var out []string
	for _, n := range t.Nodes {
		switch {
		case n.Rule != nil:
			out = append(out, n.Rule.Tokens()...)
		case n.Tag == nil:
			out = append(out, t.Mode.Tokens(n.Token)...)
		}
	}
	return out
}

// Text is the text that t matched.
func (t *Tree) Text() string {
	if t.Mode == Voice {
		return t.Mode.Join(t.Tokens())
	}
	var b strings.Builder
	t.keys(&b)
	return b.String()
}

// keys writes the keys below t, which are tokens of one key each.
func (t *Tree) keys(b *strings.Builder) {
	for _, n := range t.Nodes {
		switch {
		case n.Rule != nil:
			n.Rule.keys(b)
		case n.Tag == nil:
			b.WriteString(strings.ToUpper(n.Token))
		}
	}
}

// Tagged tells whether there is a tag in t or below it.
func (t *Tree) Tagged() bool {
	for _, n := range t.Nodes {
		if n.Tag != nil || n.Rule != nil && n.Rule.Tagged() {
			return true
		}
	}
	return false
}
