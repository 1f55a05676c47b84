package doc

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"mcp/vxml/near"
	"mcp/vxml/ssml"
	"mcp/vxml/xmltree"
)

// element says what may stand on and in an element (VoiceXML 2.0 appendix O and
// the additions of 2.1).
type element struct {
	attrs    []string
	children []string
	text     bool // character data
	required []string
}

const (
	fetching   = " fetchaudio fetchhint fetchtimeout maxage maxstale"
	handlers   = " catch error help noinput nomatch"
	saying     = " audio enumerate prompt value"
	executable = " assign audio clear data disconnect enumerate exit foreach goto if log prompt reprompt return script submit throw value var gvp:send gvp:receive"
	speaking   = " audio enumerate value mark foreach desc"
)

func entry(attrs, children string) element {
	return element{attrs: strings.Fields(attrs), children: strings.Fields(children)}
}

func textual(attrs, children string) element {
	e := entry(attrs, children)
	e.text = true
	return e
}

func (e element) needs(attrs string) element {
	e.required = strings.Fields(attrs)
	return e
}

// Genesys' attributes, which pages write with and without the prefix of their
// namespace.
var (
	recordExtensions   = []string{"mintime", "dest", "destexpr"}
	transferExtensions = []string{
		"method", "connectwhen", "analysis", "detectansweringmachine", "signalvar", "consultexpr",
	}
)

var schema = map[string]element{
	"vxml": entry("version application base xml:base xml:lang", handlers+" data form link menu meta metadata property script var").needs("version"),
	"form": entry("id scope", handlers+" block data field filled grammar initial link object property record script subdialog transfer var"),
	"menu": textual("id scope accept dtmf", handlers+saying+" choice property script"),

	"block":     textual("name expr cond", executable),
	"field":     textual("name expr cond type slot modal", handlers+saying+" filled grammar link option property"),
	"initial":   textual("name expr cond", handlers+saying+" link property"),
	"subdialog": textual("name expr cond src srcexpr method enctype namelist"+fetching, handlers+saying+" filled param property"),
	"record": textual("name expr cond modal beep maxtime finalsilence dtmfterm type "+strings.Join(recordExtensions, " "),
		handlers+saying+" filled grammar link property"),
	"transfer": textual("name expr cond dest destexpr bridge type connecttimeout maxtime transferaudio aai aaiexpr "+strings.Join(transferExtensions, " "),
		handlers+saying+" filled grammar link property"),
	"object": textual("name expr cond classid codebase codetype data type archive"+fetching,
		handlers+saying+" filled param property"),

	"choice":   textual("accept dtmf event eventexpr expr message messageexpr next"+fetching, "grammar"),
	"option":   textual("accept dtmf value", ""),
	"link":     entry("dtmf event eventexpr expr message messageexpr next"+fetching, "grammar"),
	"param":    entry("name expr value valuetype type", "").needs("name"),
	"property": entry("name value", "").needs("name"),
	"meta":     entry("name http-equiv content", "").needs("content"),
	"metadata": textual("", "*"),

	"catch":   textual("event count cond", executable),
	"error":   textual("count cond", executable),
	"help":    textual("count cond", executable),
	"noinput": textual("count cond", executable),
	"nomatch": textual("count cond", executable),
	"filled":  textual("mode namelist", executable),

	"assign":     entry("name expr", "").needs("name expr"),
	"clear":      entry("namelist", ""),
	"data":       entry("name src srcexpr method namelist enctype"+fetching, ""),
	"disconnect": entry("namelist", ""),
	"else":       entry("", ""),
	"elseif":     entry("cond", "").needs("cond"),
	"exit":       entry("expr namelist", ""),
	"foreach":    textual("item array", executable+speaking+" *ssml").needs("item array"),
	"goto":       entry("next expr nextitem expritem"+fetching, ""),
	"if":         textual("cond", executable+" else elseif").needs("cond"),
	"log":        textual("label expr", "value foreach"),
	"reprompt":   entry("", ""),
	"return":     entry("event eventexpr message messageexpr namelist", ""),
	"script":     textual("src srcexpr charset fetchhint fetchtimeout maxage maxstale", ""),
	"submit":     entry("next expr namelist method enctype"+fetching, ""),
	"throw":      entry("event eventexpr message messageexpr", ""),
	"var":        entry("name expr", "").needs("name"),

	"gvp:send":    entry("async body bodyexpr contenttype contenttypeexpr namelist", ""),
	"gvp:receive": entry("maxtime maxtimeexpr fetchaudio", ""),

	"prompt":    textual("bargein bargeintype cond count timeout xml:lang xml:base", speaking+" *ssml"),
	"audio":     textual("src expr fetchhint fetchtimeout maxage maxstale", speaking+" *ssml"),
	"enumerate": textual("", speaking+" *ssml"),
	"value":     entry("expr class mode", "").needs("expr"),
	"mark":      entry("name nameexpr", ""),
	"desc":      textual("xml:lang", ""),
	"grammar": textual("src srcexpr version mode root type tag-format weight scope xml:lang xml:base"+
		" fetchhint fetchtimeout maxage maxstale", "*"),
}

// qualified is the name of an element, with gvp: in front of those of Genesys.
func qualified(n *xmltree.Node) string {
	if n.Space == Extension {
		return "gvp:" + n.Name
	}
	return n.Name
}

// extension is an attribute of Genesys' namespace.
func extension(n *xmltree.Node, name string) string {
	for _, a := range n.Attrs {
		if a.Space == Extension && a.Name == name {
			return a.Value
		}
	}
	return ""
}

// validate checks n and everything below it.
func (c *compiler) validate(n *xmltree.Node) {
	if ssml.Is(n.Name) && !known(n.Name) {
		c.descend(n, element{children: strings.Fields(speaking + " *ssml"), text: true})
		return
	}
	e, ok := schema[qualified(n)]
	if !ok || n.Space != Extension && n.Space != Namespace && n.Space != "" && n.Name != "grammar" {
		c.strange(n)
		return
	}
	c.advise(n)
	for _, a := range n.Attrs {
		anywhere := a.Name == "xml:space" || a.Name == "xml:id" // whatever the element
		if len(c.problems) < maxProblems && (a.Space == "" || a.Space == xmltree.XMLNamespace) && !anywhere && !slices.Contains(e.attrs, a.Name) {
			c.fail(n, "there is no attribute %q%s", a.Name, near.Hint(a.Name, e.attrs))
		}
	}
	for _, name := range e.required {
		if _, ok := n.Lookup(name); !ok {
			c.fail(n, "the attribute %q is missing", name)
		}
	}
	if !slices.Contains(e.children, "*") {
		c.descend(n, e)
	}
}

func (c *compiler) descend(n *xmltree.Node, e element) {
	for _, child := range n.Children {
		switch {
		case child.Blank():
		case child.IsText():
			if !e.text {
				c.fail(n, "text is not allowed here: %q", clip(strings.TrimSpace(child.Text)))
			}
		case slices.Contains(e.children, qualified(child)), slices.Contains(e.children, "*ssml") && ssml.Is(child.Name):
			c.validate(child)
		case known(qualified(child)):
			c.fail(child, "is not allowed in <%s>", n.Name)
		case ssml.Is(child.Name):
			c.fail(child, "is not allowed in <%s>: put it into a <prompt>", n.Name)
		default:
			c.strange(child)
		}
	}
}

// strange complains of an element that VoiceXML has not.
func (c *compiler) strange(n *xmltree.Node) {
	hint := ""
	if len(c.problems) >= maxProblems {
		return
	}
	if meant := near.Meant(n.Name, slices.Sorted(maps.Keys(schema))); meant != "" {
		hint = fmt.Sprintf(": did you mean <%s>?", meant)
	}
	c.fail(n, "VoiceXML has no such element%s", hint)
}

func known(name string) bool {
	_, ok := schema[name]
	return ok
}

func clip(s string) string {
	if len(s) > 40 {
		return s[:40] + "..."
	}
	return s
}
