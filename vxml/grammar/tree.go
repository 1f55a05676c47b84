package grammar

// Tree is the logical parse of a match: a rule with, in order, the tokens, tags
// and rules within it (SRGS appendix H).
type Tree struct {
	Rule   string
	Format TagFormat
	Mode   Mode
	Header []string // the grammar's own tags
	Nodes  []Node
}

// Node is a token, a tag or a rule; exactly one is set.
type Node struct {
	Token string
	Tag   *string
	Rule  *Tree
}

// Tree returns the preferred reading of a complete match, or nil.
func (m *Matcher) Tree() *Tree {
	if !m.matched {
		return nil
	}
	var events []*event
	for e := m.done; e != nil; e = e.prev {
		events = append(events, e)
	}
	var open []*Tree
	for i := len(events) - 1; i > 0; i-- {
		switch e := events[i]; e.kind {
		case entered:
			g := e.rule.grammar
			t := &Tree{Rule: e.rule.id, Format: g.TagFormat, Mode: g.Mode, Header: g.Header}
			if len(open) > 0 {
				top := open[len(open)-1]
				top.Nodes = append(top.Nodes, Node{Rule: t})
			}
			open = append(open, t)
		case heard:
			top := open[len(open)-1]
			top.Nodes = append(top.Nodes, Node{Token: e.text})
		case tagged:
			top := open[len(open)-1]
			top.Nodes = append(top.Nodes, Node{Tag: &e.text})
		case left:
			open = open[:len(open)-1]
		}
	}
	return open[0]
}

// Match reads a whole text and returns its parse, or nil when it does not match.
func (l *Linked) Match(text string) *Tree {
	m := l.NewMatcher()
	for _, t := range l.Mode.Tokens(text) {
		if m.Feed(t) == Failed {
			return nil
		}
	}
	return m.Tree()
}

// Tokens returns the tokens below t.
func (t *Tree) Tokens() []string {
	var out []string
	for _, n := range t.Nodes {
		switch {
		case n.Rule != nil:
			out = append(out, n.Rule.Tokens()...)
		case n.Tag == nil:
			out = append(out, n.Token)
		}
	}
	return out
}

// Text is the text that t matched.
func (t *Tree) Text() string { return t.Mode.Join(t.Tokens()) }

// Tagged tells whether there is a tag in t or below it.
func (t *Tree) Tagged() bool {
	for _, n := range t.Nodes {
		if n.Tag != nil || n.Rule != nil && n.Rule.Tagged() {
			return true
		}
	}
	return false
}
