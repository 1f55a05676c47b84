package xmltree

import (
	"encoding/xml"
	"strings"
)

// Write returns n as XML text. Elements of a namespace other than their
// parent's get a default namespace declaration of their own.
func Write(n *Node) string {
	var b strings.Builder
	write(&b, n, "")
	return b.String()
}

// Escape returns s as character data, fit for attribute values too.
func Escape(s string) string {
	var b strings.Builder
	escape(&b, s)
	return b.String()
}

func escape(b *strings.Builder, s string) {
	// A strings.Builder does not fail.
	_ = xml.EscapeText(b, []byte(s))
}

func write(b *strings.Builder, n *Node, space string) {
	if n.IsText() {
		escape(b, n.Text)
		return
	}
	b.WriteByte('<')
	b.WriteString(n.Name)
	if n.Space != space {
		b.WriteString(` xmlns="`)
		escape(b, n.Space)
		b.WriteByte('"')
	}
	for _, a := range n.Attrs {
		if a.Space != "" && a.Space != XMLNamespace {
			continue // an extension's attribute, whose prefix is not kept
		}
		b.WriteByte(' ')
		b.WriteString(a.Name)
		b.WriteString(`="`)
		escape(b, a.Value)
		b.WriteByte('"')
	}
	if len(n.Children) == 0 {
		b.WriteString("/>")
		return
	}
	b.WriteByte('>')
	for _, c := range n.Children {
		write(b, c, n.Space)
	}
	b.WriteString("</" + n.Name + ">")
}
