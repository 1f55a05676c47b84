package doc

import (
	"fmt"
	"slices"
	"strings"

	"mcp/vxml/near"
	"mcp/vxml/property"
	"mcp/vxml/xmltree"
)

// times are the attributes and properties that are times.
const times = " timeout fetchtimeout maxtime mintime finalsilence connecttimeout interdigittimeout termtimeout" +
	" completetimeout incompletetimeout maxspeechtimeout fetchaudiodelay fetchaudiominimum "

// events are those that the interpreter throws, by the names that handlers give.
var events = []string{
	"noinput", "nomatch", "help", "cancel", "exit", "error", "maxspeechtimeout",
	"connection.disconnect", "connection.disconnect.hangup", "connection.disconnect.transfer",
	"error.badfetch", "error.badfetch.http", "error.badfetch.badxmlformat", "error.grammar", "error.semantic",
	"error.noauthorization", "error.noresource", "error.connection", "error.connection.noauthorization",
	"error.connection.baddestination", "error.connection.noroute", "error.connection.noresource",
	"error.unsupported", "error.unsupported.format", "error.unsupported.builtin", "error.unsupported.language",
	"error.unsupported.objectname", "error.unsupported.uri",
}

// maxHandled bounds how many names of events are looked at.
const maxHandled = 500

// suggest notes something that the page may do and that its author will hardly want.
func (c *compiler) suggest(n *xmltree.Node, format string, args ...any) {
	if len(c.page.Advice) < maxProblems {
		c.page.Advice = append(c.page.Advice, &Error{URL: c.page.URL, Line: n.Line, Element: n.Name, Text: fmt.Sprintf(format, args...)})
	}
}

// advise looks for what can be run and is probably a slip.
func (c *compiler) advise(n *xmltree.Node) {
	for _, a := range n.Attrs {
		switch {
		case a.Space != "":
		case a.Name == "cond" && assigns(a.Value):
			c.suggest(n, "cond=%q assigns: write == to compare", a.Value)
		case a.Name == "namelist" && strings.TrimSpace(a.Value) == "":
			c.suggest(n, "namelist names nothing: name variables, or leave it out")
		case strings.Contains(times, " "+a.Name+" "):
			c.unit(n, a.Name, a.Value)
		}
	}
	switch name := n.Attr("name"); n.Name {
	case "property":
		c.universals = c.universals || name == "universals"
		if value, given := n.Lookup("value"); given {
			if wants := property.Wants(name, value); wants != "" {
				c.suggest(n, "%s=%q is none of its values: write %s", name, value, wants)
			}
		}
		if strings.Contains(times, " "+name+" ") {
			c.unit(n, name, n.Attr("value"))
		}
	case "catch":
		c.catches = append(c.catches, n)
	case "throw", "return", "link", "choice":
		if c.thrown == nil {
			c.thrown = make(map[string]bool)
		}
		c.thrown[n.Attr("event")] = true
	}
}

// unit looks for the unit of a time. Older pages write none and mean seconds.
func (c *compiler) unit(n *xmltree.Node, name, value string) {
	value = strings.TrimSpace(value)
	if value != "" && value != "0" && strings.Trim(value, ".0123456789") == "" {
		c.suggest(n, "%s=%q has no unit and counts seconds: write %ss or %sms", name, value, value, value)
	}
}

// deaf looks for items that nothing is listened for in, where nothing around the page can
// be listened for either.
func (c *compiler) deaf() {
	p := c.page
	if p.Application != "" || len(p.Links) > 0 || c.universals || slices.ContainsFunc(p.Dialogs, (*Form).everywhere) {
		return
	}
	for _, f := range p.Dialogs {
		if len(f.Grammars)+len(f.Links) > 0 {
			continue
		}
		for _, item := range f.Items {
			switch item := item.(type) {
			case *Field:
				if len(item.Grammars)+len(item.Links) == 0 {
					c.unheard(item.Base(), "give it a type, an <option> or a <grammar>")
				}
			case *Initial:
				if len(item.Links) == 0 {
					c.unheard(item.Base(), "give the form a <grammar>")
				}
			}
		}
	}
}

// unheard notes an item that nothing is listened for in. One that may never be visited is
// left alone.
func (c *compiler) unheard(item *Common, remedy string) {
	if item.Expr == "" && item.Cond == "" {
		c.suggest(&xmltree.Node{Name: item.Element, Line: item.Line}, "no grammar is active: %s", remedy)
	}
}

// everywhere tells whether a form has grammars that are active in others.
func (f *Form) everywhere() bool {
	return f.Document || slices.ContainsFunc(f.Grammars, func(g *Grammar) bool { return g.Document })
}

// misspelt looks for handlers of events that nobody throws and whose names are
// nearly those of the interpreter's.
func (c *compiler) misspelt() {
	looked := 0
	for _, n := range c.catches {
		for _, name := range strings.Fields(n.Attr("event")) {
			if looked++; looked > maxHandled {
				return
			}
			name = strings.TrimSuffix(name, ".")
			meant := near.Meant(name, events)
			if meant != "" && !c.thrown[name] && !isEvent(name) {
				c.suggest(n, "nothing throws %q: did you mean %q?", name, meant)
			}
		}
	}
}

// isEvent tells whether a handler of the name catches an event of the interpreter.
func isEvent(name string) bool {
	for _, e := range events {
		if e == name || strings.HasPrefix(e, name+".") {
			return true
		}
	}
	return false
}

// assigns tells whether an expression is an assignment: it has a = that stands in
// no string and no parentheses. What has a slash is left alone, for a regular
// expression may hold anything.
func assigns(expr string) bool {
	if !strings.Contains(expr, "=") || strings.Contains(expr, "/") {
		return false
	}
	depth := 0
	var quote byte
	for i := 0; i < len(expr); i++ {
		ch := expr[i]
		switch {
		case quote != 0:
			if ch == '\\' {
				i++
			} else if ch == quote {
				quote = 0
			}
		case ch == '"' || ch == '\'' || ch == '`':
			quote = ch
		case strings.IndexByte("([{", ch) >= 0:
			depth++
		case strings.IndexByte(")]}", ch) >= 0:
			depth--
		case ch == '=' && depth == 0:
			run := i
			for run < len(expr) && expr[run] == '=' {
				run++
			}
			alone := run == i+1 && (i == 0 || strings.IndexByte("!<>", expr[i-1]) < 0)
			if alone && (run == len(expr) || expr[run] != '>') {
				return true
			}
			i = run - 1
		}
	}
	return false
}
