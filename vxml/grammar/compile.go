package grammar

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"mcp/vxml/xmltree"
)

func (c *compiler) emit(n *xmltree.Node, in inst) error {
	if c.size++; c.size > maxCode {
		return c.tooLarge(n)
	}
	in.line = n.Line
	c.current.code = append(c.current.code, in)
	return nil
}

func (c *compiler) at() int { return len(c.current.code) }

// attributes are those that elements may have beside xml:lang and the like (SRGS
// appendix B).
var attributes = map[string][]string{
	"rule": {"id", "scope"}, "item": {"repeat", "repeat-prob", "weight"}, "ruleref": {"uri", "type", "special"},
	"meta": {"name", "http-equiv", "content"}, "lexicon": {"uri", "type"},
	"one-of": nil, "token": nil, "tag": nil, "example": nil, "metadata": nil,
}

func (c *compiler) attributes(n *xmltree.Node) error {
	known, ok := attributes[n.Name]
	if !ok {
		return nil
	}
	for _, a := range n.Attrs {
		if a.Space == "" && !slices.Contains(known, a.Name) {
			return c.fail(n, "<%s> has no attribute %q", n.Name, a.Name)
		}
	}
	return nil
}

// sequence compiles the content of n.
func (c *compiler) sequence(n *xmltree.Node) error {
	for _, child := range n.Children {
		// What is repeated may emit nothing, and must not cost without bound.
		if c.work++; c.work > maxWork {
			return c.tooLarge(n)
		}
		if err := c.expansion(child); err != nil {
			return err
		}
	}
	return nil
}

func (c *compiler) expansion(n *xmltree.Node) error {
	if err := c.attributes(n); err != nil {
		return err
	}
	switch n.Name {
	case "":
		return c.tokens(n, n.Text)
	case "token":
		if inner := n.Elements(); len(inner) > 0 {
			return c.fail(inner[0], "<%s> is not allowed in <token>", inner[0].Name)
		}
		if spelled := strings.Join(strings.Fields(strings.ReplaceAll(n.Content(), `"`, " ")), " "); spelled != "" {
			return c.token(n, spelled)
		}
		return c.fail(n, "<token> is empty")
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
	if n.Space != c.space {
		return nil // another namespace's, for whoever knows it
	}
	return c.fail(n, "<%s> is not allowed in a rule", n.Name)
}

func (c *compiler) tokens(n *xmltree.Node, text string) error {
	spelled, err := spelling(text)
	if err != nil {
		return c.fail(n, "%v", err)
	}
	for _, token := range spelled {
		if err := c.token(n, token); err != nil {
			return err
		}
	}
	return nil
}

// token compiles one token, which may be several words or keys.
func (c *compiler) token(n *xmltree.Node, spelled string) error {
	words := c.grammar.Mode.Tokens(spelled)
	for i, w := range words {
		in := inst{op: opToken, text: w}
		switch {
		case c.grammar.Mode == DTMF && !strings.Contains("0123456789*#ABCD", w):
			return c.fail(n, "%q is not a DTMF key", w)
		case c.grammar.Mode == DTMF:
			in.show = w
		case i == len(words)-1:
			in.show = spelled
		}
		if err := c.emit(n, in); err != nil {
			return err
		}
	}
	return nil
}

func (c *compiler) oneOf(n *xmltree.Node) error {
	items := byWeight(n.Children)
	for _, child := range items {
		// A ruleref directly in one-of is not SRGS, but is written so often
		// that refusing it helps nobody.
		if child.Name != "item" && child.Name != "ruleref" {
			return c.fail(child, "<one-of> holds only <item>")
		}
	}
	switch len(items) {
	case 0:
		return c.fail(n, "<one-of> is empty")
	case 1:
		return c.expansion(items[0])
	}
	split := c.at()
	if err := c.emit(n, inst{op: opSplit}); err != nil {
		return err
	}
	var starts, jumps []int
	for _, child := range items {
		starts = append(starts, c.at())
		if err := c.expansion(child); err != nil {
			return err
		}
		jumps = append(jumps, c.at())
		if err := c.emit(child, inst{op: opSplit}); err != nil {
			return err
		}
	}
	c.current.code[split].to = starts
	end := []int{c.at()}
	for _, j := range jumps {
		c.current.code[j].to = end
	}
	return nil
}

// byWeight orders alternatives so that of two which read the same input the
// heavier wins (SRGS section 2.4.1). One without a weight weighs 1.
func byWeight(nodes []*xmltree.Node) []*xmltree.Node {
	items := slices.DeleteFunc(slices.Clone(nodes), (*xmltree.Node).Blank)
	slices.SortStableFunc(items, func(a, b *xmltree.Node) int { return cmp.Compare(weight(b), weight(a)) })
	return items
}

func weight(n *xmltree.Node) float64 {
	if f, err := strconv.ParseFloat(n.Attr("weight"), 64); err == nil {
		return f
	}
	return 1
}

// item compiles an item min times, and then either a loop or the optional rest.
func (c *compiler) item(n *xmltree.Node) error {
	if w, ok := n.Lookup("weight"); ok {
		if f, err := strconv.ParseFloat(w, 64); err != nil || !(f >= 0) {
			return c.fail(n, "weight %q is not a number of at least 0", w)
		}
	}
	first, second := 1, 0 // on is preferred to out
	if p, ok := n.Lookup("repeat-prob"); ok {
		f, err := strconv.ParseFloat(p, 64)
		if err != nil || !(f >= 0 && f <= 1) {
			return c.fail(n, "repeat-prob %q is not between 0 and 1", p)
		}
		if f < 0.5 {
			first, second = second, first
		}
	}
	low, high, ok := repeat(n.Attr("repeat"))
	if !ok {
		return c.fail(n, "repeat %q is not n, n-m or n-", n.Attr("repeat"))
	}
	if soundless(n) {
		// Tags repeated any number of times are there once (SRGS section 2.5).
		low = min(low, 1)
		if high != 0 {
			high = 1
		}
	}
	for range low {
		if err := c.sequence(n); err != nil {
			return err
		}
	}
	if high < 0 {
		return c.loop(n, first)
	}
	return c.rest(n, high-low, [2]int{first, second})
}

// soundless tells whether an expansion holds nothing that is said.
func soundless(n *xmltree.Node) bool {
	for _, child := range n.Children {
		switch {
		case child.Blank(), child.Name == "tag", child.Name == "example", child.Attr("special") == "NULL":
		case (child.Name == "item" || child.Name == "one-of") && soundless(child):
		default:
			return false
		}
	}
	return true
}

// rest compiles content that may be there up to n times; order says whether to
// go on (1) or out (0) first.
func (c *compiler) rest(item *xmltree.Node, n int, order [2]int) error {
	var exits []int
	for range n {
		exits = append(exits, c.at())
		if err := c.emit(item, inst{op: opSplit}); err != nil {
			return err
		}
		if err := c.sequence(item); err != nil {
			return err
		}
	}
	for _, e := range exits {
		ways := [2]int{c.at(), e + 1}
		c.current.code[e].to = []int{ways[order[0]], ways[order[1]]}
	}
	return nil
}

func (c *compiler) loop(n *xmltree.Node, first int) error {
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
	ways := [2]int{c.at(), start + 1}
	c.current.code[start].to = []int{ways[first], ways[1-first]}
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
	uri, special := strings.TrimSpace(n.Attr("uri")), n.Attr("special")
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
	return c.emit(n, inst{op: opForeign, text: doc, rule: fragment, show: n.Attr("type")})
}
