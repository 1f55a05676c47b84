package doc

import (
	"maps"
	"strings"

	"mcp/vxml/xmltree"
)

// Reference is what a page will perhaps fetch: its address is no expression, and
// nothing is sent with it. It may be fetched before it is needed where the page
// permits that (VoiceXML 2.0 section 6.1.3).
type Reference struct {
	Pos
	Kind  string // audio, data, document, grammar, object or script
	URI   string
	Mode  string // of a grammar, as the element says, or empty
	Fetch Fetch  // its Hint is the element's or a dialog's; empty: the page's property holds
}

// referring are the elements that name a resource: the attribute, and its kind.
var referring = map[string]struct{ attr, kind string }{
	"audio": {"src", "audio"}, "grammar": {"src", "grammar"}, "script": {"src", "script"}, "data": {"src", "data"},
	"goto": {"next", "document"}, "choice": {"next", "document"}, "link": {"next", "document"},
	"subdialog": {"src", "document"}, "object": {"data", "object"},
}

// around is what the elements around one say.
type around struct {
	base  string
	hints map[string]string // properties of dialogs and items that are fetchhints
}

// references collects what is referred to within the dialogs and links. What the
// document fetches itself as it is entered is needed at once.
func (c *compiler) references(root *xmltree.Node) {
	for _, n := range root.Elements() {
		if n.Name != "script" && n.Name != "data" {
			c.refer(n, around{base: c.page.Base})
		}
	}
}

func (c *compiler) refer(n *xmltree.Node, in around) {
	in = c.within(n, in)
	to := referring[n.Name]
	uri := strings.TrimSpace(n.Attr(to.attr))
	sends := n.Attr("namelist") != "" || n.Attr("method") == "post"
	if uri != "" && !strings.HasPrefix(uri, "#") && !sends {
		r := Reference{Pos: c.pos(n), Kind: to.kind, URI: uri, Mode: n.Attr("mode"), Fetch: fetchOf(n)}
		r.Base = in.base
		if r.Fetch.Hint == "" {
			r.Fetch.Hint = in.hints[to.kind+"fetchhint"]
		}
		c.page.References = append(c.page.References, r)
	}
	for _, child := range n.Elements() {
		c.refer(child, in)
	}
}

func (c *compiler) within(n *xmltree.Node, a around) around {
	if base := n.Attr("xml:base"); base != "" && n.Name == "prompt" {
		a.base = c.resolve(n, base)
	}
	if base := n.Attr("codebase"); base != "" {
		a.base = c.resolve(n, base)
	}
	copied := false
	for _, child := range n.Elements() {
		name := child.Attr("name")
		if child.Name != "property" || !strings.HasSuffix(name, "fetchhint") {
			continue
		}
		if !copied {
			a.hints, copied = maps.Clone(a.hints), true
		}
		if a.hints == nil {
			a.hints = make(map[string]string)
		}
		a.hints[name] = child.Attr("value")
	}
	return a
}
