package doc

import (
	"strings"

	"mcp/vxml/xmltree"
)

func (c *compiler) record(n *xmltree.Node) *Record {
	return &Record{
		Common: c.common(n), Grammars: c.grammars(n), Type: n.Attr("type"), Beep: c.boolean(n, "beep"),
		Modal: c.unless(n, "modal"), DTMFTerm: c.unless(n, "dtmfterm"),
		MaxTime: c.duration(n, "maxtime"), FinalSilence: c.duration(n, "finalsilence"),
		Extensions: extensions(n, recordExtensions),
	}
}

func extensions(n *xmltree.Node, names []string) Extensions {
	var out Extensions
	for _, name := range names {
		value, given := n.Lookup(name)
		if own := extension(n, name); own != "" {
			value, given = own, true
		}
		if !given {
			continue
		}
		if out == nil {
			out = make(Extensions)
		}
		out[name] = value
	}
	return out
}

// send is <gvp:send>, whose content is a body or variables.
func (c *compiler) send(n *xmltree.Node) *Send {
	s := &Send{
		Pos: c.pos(n), Async: c.boolean(n, "async"), ContentType: n.Attr("contenttype"), ContentTypeExpr: n.Attr("contenttypeexpr"),
		Body: n.Attr("body"), BodyExpr: n.Attr("bodyexpr"), Namelist: strings.Fields(n.Attr("namelist")),
	}
	if !one(s.Body != "", s.BodyExpr != "", len(s.Namelist) > 0) {
		c.fail(n, "needs exactly one of body, bodyexpr and namelist")
	}
	return s
}

// unless reads a boolean that holds unless the page says otherwise.
func (c *compiler) unless(n *xmltree.Node, name string) bool {
	if _, ok := n.Lookup(name); !ok {
		return true
	}
	return c.boolean(n, name)
}

func (c *compiler) grammars(n *xmltree.Node) []*Grammar {
	var out []*Grammar
	for _, child := range n.Elements() {
		if child.Name == "grammar" {
			out = append(out, c.grammar(child))
		}
	}
	return out
}

func (c *compiler) transfer(n *xmltree.Node) *Transfer {
	t := &Transfer{
		Common: c.common(n), Grammars: c.grammars(n), Kind: n.Attr("type"),
		Dest: n.Attr("dest"), DestExpr: n.Attr("destexpr"), AAI: n.Attr("aai"), AAIExpr: n.Attr("aaiexpr"),
		ConnectTimeout: c.duration(n, "connecttimeout"), MaxTime: c.duration(n, "maxtime"), Audio: n.Attr("transferaudio"),
		Extensions: extensions(n, transferExtensions),
	}
	if !one(t.Dest != "", t.DestExpr != "") {
		c.fail(n, "needs exactly one of dest and destexpr")
	}
	if t.AAI != "" && t.AAIExpr != "" {
		c.fail(n, "has both aai and aaiexpr")
	}
	switch bridge, given := n.Lookup("bridge"); {
	case given && t.Kind != "":
		c.fail(n, "has both type and bridge")
	case given && bridge == "true":
		t.Kind = "bridge"
	case given:
		c.boolean(n, "bridge")
	}
	switch t.Kind {
	case "":
		t.Kind = "blind"
	case "blind", "bridge", "consultation":
	default:
		c.fail(n, "type %q is none of blind, bridge and consultation", t.Kind)
	}
	return t
}

func (c *compiler) object(n *xmltree.Node) *Object {
	return &Object{
		Common: c.common(n), ClassID: n.Attr("classid"), CodeBase: n.Attr("codebase"), CodeType: n.Attr("codetype"),
		Data: n.Attr("data"), Type: n.Attr("type"), Archive: strings.Fields(n.Attr("archive")), Params: c.params(n),
	}
}

func (c *compiler) params(n *xmltree.Node) []Param {
	var out []Param
	for _, child := range n.Elements() {
		if child.Name != "param" {
			continue
		}
		p := Param{Pos: c.pos(child), Name: child.Attr("name"), Expr: child.Attr("expr"), Type: child.Attr("type")}
		value, given := child.Lookup("value")
		p.Value = value
		if !one(p.Expr != "", given) {
			c.fail(child, "needs exactly one of expr and value")
		}
		switch child.Attr("valuetype") {
		case "", "data":
		case "ref":
			p.Ref = true
		default:
			c.fail(child, "valuetype %q is neither data nor ref", child.Attr("valuetype"))
		}
		out = append(out, p)
	}
	return out
}
