package grammar

import (
	"strconv"
	"strings"

	"mcp/vxml/xmltree"
)

func (c *compiler) emit(n *xmltree.Node, in inst) error {
	if c.size++; c.size > maxCode {
		return c.fail(n, "the grammar is too large when its repeats are written out")
	}
	c.current.code = append(c.current.code, in)
	return nil
}

func (c *compiler) at() int { return len(c.current.code) }

// sequence compiles the content of n.
func (c *compiler) sequence(n *xmltree.Node) error {
	for _, child := range n.Children {
		if err := c.expansion(child); err != nil {
			return err
		}
	}
	return nil
}

func (c *compiler) expansion(n *xmltree.Node) error {
	switch n.Name {
	case "":
		return c.tokens(n, n.Text)
	case "token":
		return c.tokens(n, n.Content())
	case "item":
		return c.item(n)
	case "one-of":
		return c.oneOf(n)
	case "ruleref":
		return c.ruleref(n)
	case "tag":
		return c.emit(n, inst{op: opTag, text: n.Content()})
	case "example":
		return nil
	}
	return c.fail(n, "<%s> is not allowed in a rule", n.Name)
}

func (c *compiler) tokens(n *xmltree.Node, text string) error {
	text = strings.ReplaceAll(text, `"`, " ")
	for _, t := range c.grammar.Mode.Tokens(text) {
		if c.grammar.Mode == DTMF && !strings.Contains("0123456789*#ABCD", t) {
			return c.fail(n, "%q is not a DTMF key", t)
		}
		if err := c.emit(n, inst{op: opToken, text: t}); err != nil {
			return err
		}
	}
	return nil
}

func (c *compiler) oneOf(n *xmltree.Node) error {
	split := c.at()
	if err := c.emit(n, inst{op: opSplit}); err != nil {
		return err
	}
	var starts, jumps []int
	for _, child := range n.Children {
		if child.Blank() {
			continue
		}
		// A ruleref directly in one-of is not SRGS, but is written so often
		// that refusing it helps nobody.
		if child.Name != "item" && child.Name != "ruleref" {
			return c.fail(child, "<one-of> holds only <item>")
		}
		starts = append(starts, c.at())
		if err := c.expansion(child); err != nil {
			return err
		}
		jumps = append(jumps, c.at())
		if err := c.emit(child, inst{op: opSplit}); err != nil {
			return err
		}
	}
	if len(starts) == 0 {
		return c.fail(n, "<one-of> is empty")
	}
	c.current.code[split].to = starts
	end := []int{c.at()}
	for _, j := range jumps {
		c.current.code[j].to = end
	}
	return nil
}

// item compiles an item min times, and then either a loop or the optional rest.
func (c *compiler) item(n *xmltree.Node) error {
	if w := n.Attr("weight"); w != "" {
		if f, err := strconv.ParseFloat(w, 64); err != nil || f < 0 {
			return c.fail(n, "weight %q is not a number", w)
		}
	}
	if p, ok := n.Lookup("repeat-prob"); ok {
		if f, err := strconv.ParseFloat(p, 64); err != nil || f < 0 || f > 1 {
			return c.fail(n, "repeat-prob %q is not between 0 and 1", p)
		}
	}
	low, high, ok := repeat(n.Attr("repeat"))
	if !ok {
		return c.fail(n, "repeat %q is not n, n-m or n-", n.Attr("repeat"))
	}
	for range low {
		if err := c.sequence(n); err != nil {
			return err
		}
	}
	if high < 0 {
		return c.loop(n)
	}
	var exits []int
	for range high - low {
		exits = append(exits, c.at())
		if err := c.emit(n, inst{op: opSplit}); err != nil {
			return err
		}
		if err := c.sequence(n); err != nil {
			return err
		}
	}
	for _, e := range exits {
		c.current.code[e].to = []int{e + 1, c.at()}
	}
	return nil
}

func (c *compiler) loop(n *xmltree.Node) error {
	start := c.at()
	if err := c.emit(n, inst{op: opSplit}); err != nil {
		return err
	}
	if err := c.sequence(n); err != nil {
		return err
	}
	if err := c.emit(n, inst{op: opSplit, to: []int{start}}); err != nil {
		return err
	}
	c.current.code[start].to = []int{start + 1, c.at()}
	return nil
}

// repeat reads the repeat attribute (SRGS section 2.5); high is -1 without bound.
func repeat(s string) (low, high int, ok bool) {
	if s == "" {
		return 1, 1, true
	}
	first, last, ranged := strings.Cut(strings.TrimSpace(s), "-")
	low, err := strconv.Atoi(first)
	if err != nil || low < 0 || low > maxCode {
		return 0, 0, false
	}
	switch {
	case !ranged:
		return low, low, true
	case last == "":
		return low, -1, true
	}
	high, err = strconv.Atoi(last)
	return low, high, err == nil && high >= low && high <= maxCode
}

func (c *compiler) ruleref(n *xmltree.Node) error {
	uri, special := n.Attr("uri"), n.Attr("special")
	if (uri == "") == (special == "") {
		return c.fail(n, "<ruleref> needs either uri or special")
	}
	switch special {
	case "":
		return c.reference(n, uri)
	case "NULL":
		return nil
	case "VOID":
		return c.emit(n, inst{op: opVoid})
	case "GARBAGE":
		return c.garbage(n)
	}
	return c.fail(n, "unknown special rule %q", special)
}

// garbage matches any tokens, as few as possible.
func (c *compiler) garbage(n *xmltree.Node) error {
	start := c.at()
	for _, in := range []inst{
		{op: opSplit, to: []int{start + 3, start + 1}},
		{op: opAny},
		{op: opSplit, to: []int{start}},
	} {
		if err := c.emit(n, in); err != nil {
			return err
		}
	}
	return nil
}

func (c *compiler) reference(n *xmltree.Node, uri string) error {
	if id, local := strings.CutPrefix(uri, "#"); local {
		c.refs = append(c.refs, n)
		return c.emit(n, inst{op: opCall, text: id})
	}
	doc, fragment, _ := strings.Cut(join(c.base, uri), "#")
	if !c.seen[doc] {
		c.seen[doc] = true
		c.grammar.externals = append(c.grammar.externals, doc)
	}
	return c.emit(n, inst{op: opForeign, text: doc, rule: fragment})
}
