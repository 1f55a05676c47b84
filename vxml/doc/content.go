package doc

import (
	"cmp"
	"strings"

	"mcp/vxml/property"
	"mcp/vxml/ssml"
	"mcp/vxml/xmltree"
)

// spoken tells whether n belongs to a prompt when it stands in executable
// content or directly in a form item.
func spoken(n *xmltree.Node) bool {
	switch n.Name {
	case "", "audio", "value", "enumerate":
		return true
	}
	return false
}

// prompts returns the prompts among n's children; a run of bare text and
// markup is one.
func (c *compiler) prompts(n *xmltree.Node) []*Prompt {
	var out []*Prompt
	c.each(n, func(child *xmltree.Node, run []*xmltree.Node) {
		switch {
		case run != nil:
			out = append(out, c.bare(n, run))
		case child.Name == "prompt":
			out = append(out, c.prompt(child))
		}
	})
	return out
}

// each calls f with every element child of n that is not spoken, and with every
// run of spoken ones that says something.
func (c *compiler) each(n *xmltree.Node, f func(child *xmltree.Node, run []*xmltree.Node)) {
	var run []*xmltree.Node
	flush := func() {
		for _, r := range run {
			if !r.Blank() {
				f(nil, run)
				break
			}
		}
		run = nil
	}
	for _, child := range n.Children {
		if spoken(child) {
			run = append(run, child)
			continue
		}
		flush()
		f(child, nil)
	}
	flush()
}

func (c *compiler) bare(parent *xmltree.Node, run []*xmltree.Node) *Prompt {
	p := &Prompt{Pos: c.pos(parent), Count: 1}
	p.Line = run[0].Line
	p.says(c.content(run), c.language)
	return p
}

// says gives a prompt its content.
func (p *Prompt) says(content []ssml.Node, language string) {
	p.Content, p.Language = content, cmp.Or(language, DefaultLanguage)
	p.Constant = ssml.Constant(ssml.Prompt{Content: p.Content, Language: p.Language})
}

func (c *compiler) prompt(n *xmltree.Node) *Prompt {
	p := &Prompt{
		Pos: c.pos(n), Cond: n.Attr("cond"), Count: c.count(n),
		BargeIn: n.Attr("bargein"), BargeInType: n.Attr("bargeintype"),
	}
	p.says(c.content(n.Children), cmp.Or(n.Attr("xml:lang"), c.language))
	if p.BargeIn != "" {
		c.boolean(n, "bargein")
	}
	if base := n.Attr("xml:base"); base != "" {
		p.Base = c.resolve(n, base)
	}
	switch p.BargeInType {
	case "", "speech", "hotword":
	default:
		c.fail(n, "bargeintype %q is neither speech nor hotword", p.BargeInType)
	}
	if timeout := n.Attr("timeout"); timeout != "" {
		d, err := property.ParseDuration(timeout)
		if err != nil {
			c.fail(n, "timeout: %v", err)
		}
		p.Timeout = &d
	}
	return p
}

// actions compiles n's content as executable content.
func (c *compiler) actions(n *xmltree.Node) []Action {
	var out []Action
	c.each(n, func(child *xmltree.Node, run []*xmltree.Node) {
		if run != nil {
			p := c.bare(n, run)
			out = append(out, &Say{p.Pos, p})
			return
		}
		if a := c.action(child); a != nil {
			out = append(out, a)
		}
	})
	return out
}

func (c *compiler) action(n *xmltree.Node) Action {
	pos := c.pos(n)
	switch qualified(n) {
	case "var":
		return &Var{pos, n.Attr("name"), n.Attr("expr")}
	case "assign":
		return &Assign{pos, n.Attr("name"), n.Attr("expr")}
	case "script":
		return c.script(n)
	case "goto":
		return c.jump(n)
	case "submit":
		return &Goto{c.submission(n, n.Attr("next"), n.Attr("expr"))}
	case "log":
		return &Log{pos, n.Attr("label"), n.Attr("expr"), extension(n, "dest"), c.content(n.Children)}
	case "if":
		return c.branches(n)
	case "throw":
		return c.throw(n)
	case "reprompt":
		return &Reprompt{pos}
	case "disconnect":
		return &Disconnect{pos, strings.Fields(n.Attr("namelist"))}
	case "exit":
		return c.exit(n)
	case "return":
		return c.returning(n)
	case "clear":
		return &Clear{pos, strings.Fields(n.Attr("namelist"))}
	case "prompt":
		return &Say{pos, c.prompt(n)}
	case "foreach":
		return &Foreach{pos, n.Attr("item"), n.Attr("array"), c.actions(n)}
	case "gvp:send":
		return c.send(n)
	case "gvp:receive":
		return &Receive{pos, c.duration(n, "maxtime"), n.Attr("maxtimeexpr")}
	case "data":
		return &Data{c.submission(n, n.Attr("src"), n.Attr("srcexpr")), n.Attr("name")}
	}
	return nil // which has been complained of
}

func (c *compiler) script(n *xmltree.Node) Action {
	s := &Script{
		Pos: c.pos(n), Src: n.Attr("src"), Expr: n.Attr("srcexpr"), Charset: n.Attr("charset"), Fetch: c.fetching(n),
	}
	inline := n.HasContent()
	if inline {
		s.Text = n.Content()
	}
	if !one(s.Src != "", s.Expr != "", inline) {
		c.fail(n, "needs exactly one of src, srcexpr and content")
	}
	return s
}

func one(given ...bool) bool {
	count := 0
	for _, g := range given {
		if g {
			count++
		}
	}
	return count == 1
}

func (c *compiler) jump(n *xmltree.Node) Action {
	next, expr := n.Attr("next"), n.Attr("expr")
	item, itemExpr := n.Attr("nextitem"), n.Attr("expritem")
	if !one(next != "", expr != "", item != "", itemExpr != "") {
		c.fail(n, "needs exactly one of next, expr, nextitem and expritem")
	}
	if item != "" || itemExpr != "" {
		return &GotoItem{c.pos(n), item, itemExpr}
	}
	return &Goto{Transition{Pos: c.pos(n), Next: next, Expr: expr, Fetch: c.fetching(n)}}
}

// submission is the transition of <submit> and <subdialog>.
func (c *compiler) submission(n *xmltree.Node, next, expr string) Transition {
	t := Transition{
		Pos: c.pos(n), Next: next, Expr: expr, Submit: true,
		Namelist: strings.Fields(n.Attr("namelist")), Fetch: c.fetching(n),
	}
	if !one(next != "", expr != "") {
		c.fail(n, "needs exactly one of the URI and its expression")
	}
	switch n.Attr("method") {
	case "", "get":
	case "post":
		t.Post = true
	default:
		c.fail(n, "method %q is neither get nor post", n.Attr("method"))
	}
	switch n.Attr("enctype") {
	case "", "application/x-www-form-urlencoded":
	case "multipart/form-data":
		t.Multipart = true
	default:
		c.fail(n, "enctype %q is not supported", n.Attr("enctype"))
	}
	return t
}

func (c *compiler) branches(n *xmltree.Node) Action {
	if _, ok := n.Lookup("cond"); !ok {
		c.fail(n, `the attribute "cond" is missing`)
	}
	out := &If{Pos: c.pos(n), Branches: []Branch{{Pos: c.pos(n), Cond: n.Attr("cond")}}}
	part := &xmltree.Node{Name: n.Name, Line: n.Line}
	flush := func() {
		out.Branches[len(out.Branches)-1].Body = c.actions(part)
		part = &xmltree.Node{Name: n.Name, Line: n.Line}
	}
	for _, child := range n.Children {
		if child.Name != "else" && child.Name != "elseif" {
			part.Children = append(part.Children, child)
			continue
		}
		flush()
		if out.Branches[len(out.Branches)-1].Else {
			c.fail(child, "follows <else>")
		}
		out.Branches = append(out.Branches, Branch{Pos: c.pos(child), Cond: child.Attr("cond"), Else: child.Name == "else"})
	}
	flush()
	return out
}

func (c *compiler) throw(n *xmltree.Node) *Throw {
	t := &Throw{c.pos(n), n.Attr("event"), n.Attr("eventexpr"), n.Attr("message"), n.Attr("messageexpr")}
	if !one(t.Event != "", t.EventExpr != "") {
		c.fail(n, "needs exactly one of event and eventexpr")
	}
	if t.Message != "" && t.MessageExpr != "" {
		c.fail(n, "has both message and messageexpr")
	}
	return t
}

// target is where <link> and <choice> lead.
func (c *compiler) target(n *xmltree.Node) Target {
	next, expr := n.Attr("next"), n.Attr("expr")
	if !one(next != "", expr != "", n.Attr("event") != "", n.Attr("eventexpr") != "") {
		c.fail(n, "needs exactly one of next, expr, event and eventexpr")
		return Target{}
	}
	if next != "" || expr != "" {
		return Target{Goto: &Transition{Pos: c.pos(n), Next: next, Expr: expr, Fetch: c.fetching(n)}}
	}
	return Target{Throw: c.throw(n)}
}

func (c *compiler) exit(n *xmltree.Node) Action {
	e := &Exit{c.pos(n), n.Attr("expr"), strings.Fields(n.Attr("namelist"))}
	if e.Expr != "" && len(e.Namelist) > 0 {
		c.fail(n, "has both expr and namelist")
	}
	return e
}

func (c *compiler) returning(n *xmltree.Node) Action {
	r := &Return{Pos: c.pos(n), Namelist: strings.Fields(n.Attr("namelist"))}
	event := n.Attr("event") != "" || n.Attr("eventexpr") != ""
	if event && len(r.Namelist) > 0 {
		c.fail(n, "has both an event and a namelist")
	}
	if event {
		r.Throw = c.throw(n)
	}
	return r
}
