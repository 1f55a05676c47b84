package grammar

import (
	"fmt"
	"strings"

	"mcp/vxml/xmltree"
)

// FormatABNF writes the elements of a grammar in ABNF form. To write them in XML
// form is xmltree.Write.
func FormatABNF(root *xmltree.Node) (string, error) {
	w := &abnfWriter{}
	w.header(root)
	for _, n := range root.Children {
		w.top(n)
	}
	return w.String(), w.err
}

type abnfWriter struct {
	strings.Builder
	err error
}

func (w *abnfWriter) printf(format string, args ...any) { fmt.Fprintf(w, format, args...) }

// fail notes what cannot be said in ABNF.
func (w *abnfWriter) fail(n *xmltree.Node, format string, args ...any) {
	if w.err == nil {
		w.err = &Error{Line: n.Line, Text: fmt.Sprintf(format, args...)}
	}
}

func (w *abnfWriter) header(root *xmltree.Node) {
	w.WriteString("#ABNF 1.0 UTF-8;\n")
	for _, d := range []struct{ attr, format string }{
		{"xml:base", "base <%s>;\n"},
		{"xml:lang", "language %s;\n"},
		{"mode", "mode %s;\n"},
		{"root", "root $%s;\n"},
		{"tag-format", "tag-format <%s>;\n"},
	} {
		if v := strings.TrimSpace(root.Attr(d.attr)); v != "" {
			w.printf(d.format, v)
		}
	}
}

func (w *abnfWriter) top(n *xmltree.Node) {
	switch n.Name {
	case "lexicon":
		w.printf("lexicon <%s>%s;\n", n.Attr("uri"), mediaTypeABNF(n))
	case "meta":
		word, name := "meta", n.Attr("name")
		if http, ok := n.Lookup("http-equiv"); ok {
			word, name = "http-equiv", http
		}
		w.printf("%s %s is %s;\n", word, w.quote(n, name), w.quote(n, n.Attr("content")))
	case "tag":
		w.tag(n)
		w.WriteString(";\n")
	case "rule":
		if scope := n.Attr("scope"); scope != "" {
			w.WriteString(scope + " ")
		}
		w.printf("$%s =", n.Attr("id"))
		w.sequence(n.Children)
		w.WriteString(";\n")
	}
}

func mediaTypeABNF(n *xmltree.Node) string {
	if t := n.Attr("type"); t != "" {
		return "~<" + t + ">"
	}
	return ""
}

func (w *abnfWriter) quote(n *xmltree.Node, s string) string {
	switch {
	case !strings.Contains(s, `"`):
		return `"` + s + `"`
	case !strings.Contains(s, `'`):
		return `'` + s + `'`
	}
	w.fail(n, "a string with both kinds of quotes cannot be written in ABNF")
	return `""`
}

// sequence writes what follows one after the other; nothing is written as ().
func (w *abnfWriter) sequence(nodes []*xmltree.Node) {
	before := w.Len()
	for _, n := range nodes {
		w.expansion(n)
	}
	if w.Len() == before {
		w.WriteString(" ()")
	}
}

func (w *abnfWriter) expansion(n *xmltree.Node) {
	switch n.Name {
	case "":
		spelled, err := spelling(n.Text)
		if err != nil {
			w.fail(n, "%v", err)
		}
		for _, token := range spelled {
			w.token(token)
		}
	case "token":
		w.token(strings.Join(strings.Fields(strings.ReplaceAll(n.Content(), `"`, " ")), " "))
		w.language(n)
	case "tag":
		w.WriteByte(' ')
		w.tag(n)
	case "ruleref":
		w.reference(n)
	case "one-of":
		w.oneOf(n)
	case "item":
		w.item(n)
	}
}

func (w *abnfWriter) token(s string) {
	if s == "" || strings.ContainsAny(s, reserved) || strings.HasPrefix(s, "'") {
		s = `"` + s + `"`
	}
	w.WriteString(" " + s)
}

func (w *abnfWriter) language(n *xmltree.Node) {
	if lang := n.Attr("xml:lang"); lang != "" {
		w.WriteString("!" + lang)
	}
}

func (w *abnfWriter) tag(n *xmltree.Node) {
	switch text := n.Content(); {
	case !strings.Contains(text, "}") && !strings.HasPrefix(text, "!{"):
		w.WriteString("{" + text + "}")
	case !strings.Contains(text, "}!}"):
		w.WriteString("{!{" + text + "}!}")
	default:
		w.fail(n, "a tag with }!} in it cannot be written in ABNF")
	}
}

func (w *abnfWriter) reference(n *xmltree.Node) {
	uri := strings.TrimSpace(n.Attr("uri"))
	id, local := strings.CutPrefix(uri, "#")
	switch {
	case n.Attr("special") != "":
		w.WriteString(" $" + n.Attr("special"))
	case local:
		w.WriteString(" $" + id)
	default:
		w.printf(" $<%s>%s", uri, mediaTypeABNF(n))
		w.language(n)
	}
}

func (w *abnfWriter) oneOf(n *xmltree.Node) {
	separator := " ("
	for _, child := range n.Elements() {
		w.WriteString(separator)
		separator = " |"
		if weight := child.Attr("weight"); weight != "" {
			w.printf(" /%s/", weight)
		}
		w.expansion(child)
	}
	w.WriteByte(')')
	w.language(n)
}

func (w *abnfWriter) item(n *xmltree.Node) {
	w.WriteString(" (")
	w.sequence(n.Children)
	w.WriteByte(')')
	w.language(n)
	repeat, ok := n.Lookup("repeat")
	if !ok {
		return
	}
	w.WriteString("<" + repeat)
	if p, ok := n.Lookup("repeat-prob"); ok {
		w.WriteString(" /" + p + "/")
	}
	w.WriteByte('>')
}
