package config

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
	"unicode"

	"github.com/goccy/go-yaml"
)

// Print writes the struct that v points to as YAML that Load would read, with
// what each key means above it.
func Print(w io.Writer, v any) error {
	root, err := rootOf(v)
	if err != nil {
		return err
	}
	p := &printer{out: bufio.NewWriter(w)}
	p.section(root, "")
	if p.err != nil {
		return p.err
	}
	return p.out.Flush()
}

// Explain writes what a key means, what it holds and how it is set; for a
// section, which keys it has.
func Explain(w io.Writer, v any, key string) error {
	root, err := rootOf(v)
	if err != nil {
		return err
	}
	n := root
	if named := root.withOption(key); len(named) > 0 {
		return explainOption(w, named)
	}
	for _, part := range strings.Split(key, ".") {
		next, ok := n.child(part)
		if !ok {
			return fmt.Errorf("%s: %s", join(n.path, part), unknown(root, n, part))
		}
		n = next
	}
	p := &printer{out: bufio.NewWriter(w)}
	if n.isSection() {
		p.comment(n, "")
		p.line(n.path + ":")
		p.section(n, "  ")
	} else {
		p.leaf(n)
	}
	if p.err != nil {
		return p.err
	}
	return p.out.Flush()
}

// explainOption explains the keys that an option of another name sets.
func explainOption(w io.Writer, named []node) error {
	p := &printer{out: bufio.NewWriter(w)}
	for i, n := range named {
		if i > 0 {
			p.line("")
		}
		p.leaf(n)
	}
	if p.err != nil {
		return p.err
	}
	return p.out.Flush()
}

// lineWidth is that of comments: what a terminal shows that nobody has made wider.
const lineWidth = 80

// printer keeps the first error.
type printer struct {
	out *bufio.Writer
	err error
}

func (p *printer) line(s string) {
	if _, err := p.out.WriteString(s + "\n"); err != nil && p.err == nil {
		p.err = err
	}
}

func (p *printer) comment(n node, indent string) {
	line := ""
	for _, word := range strings.Fields(n.doc) {
		if line != "" && len(indent)+len("# ")+len(line)+1+len(word) > lineWidth {
			p.line(indent + "# " + line)
			line = ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	if line != "" {
		p.line(indent + "# " + line)
	}
}

func (p *printer) section(n node, indent string) {
	for i, c := range n.children() {
		if indent == "" && i > 0 {
			p.line("")
		}
		p.comment(c, indent)
		p.entry(c.key, c.value, indent)
	}
}

// entry writes a key and its value.
func (p *printer) entry(key string, v reflect.Value, indent string) {
	switch {
	case isSection(v.Type()):
		p.line(indent + key + ":")
		p.section(node{value: v}, indent+"  ")
	case isText(v.Type()) || v.Kind() != reflect.Slice && v.Kind() != reflect.Map:
		p.line(indent + key + ": " + p.scalar(v))
	case v.Len() == 0:
		p.line(indent + key + ": " + map[bool]string{true: "[]", false: "{}"}[v.Kind() == reflect.Slice])
	default:
		p.line(indent + key + ":")
		p.items(v, indent+"  ")
	}
}

func (p *printer) items(v reflect.Value, indent string) {
	if v.Kind() == reflect.Map {
		byName := map[string]reflect.Value{}
		for _, k := range v.MapKeys() {
			byName[k.String()] = v.MapIndex(k)
		}
		for _, name := range slices.Sorted(maps.Keys(byName)) {
			p.entry(p.quote(name), byName[name], indent)
		}
		return
	}
	for i := range v.Len() {
		item := v.Index(i)
		if !isSection(item.Type()) {
			p.line(indent + "- " + p.scalar(item))
			continue
		}
		p.line(indent + "-")
		p.section(node{value: item}, indent+"  ")
	}
}

// leaf explains one key.
func (p *printer) leaf(n node) {
	p.comment(n, "")
	p.entry(n.path, n.value, "")
	p.line("")
	p.line("holds a " + kindName(n.value.Type()))
	p.line("environment variable " + n.variable())
	if n.live {
		p.line("takes effect on SIGHUP, others at the next start")
	}
	if n.option != "" {
		o := n.asOption()
		how := ""
		if o.Form != "" {
			how = ", " + o.Values()
		}
		p.line("option " + o.Name + " of the Genesys Voice Platform" + how)
	}
}

// scalar is a leaf's text as a YAML scalar. Only strings need quotes ever.
func (p *printer) scalar(v reflect.Value) string {
	text, err := textOf(v)
	if err != nil && p.err == nil {
		p.err = err
	}
	if v.Kind() == reflect.String || isText(v.Type()) {
		return p.quote(text)
	}
	return text
}

// quote writes a string on one line. What YAML would spread over several is
// written as JSON, whose strings are YAML's too.
func (p *printer) quote(text string) string {
	b, err := yaml.Marshal(text)
	if strings.ContainsFunc(text, unicode.IsControl) {
		b, err = json.Marshal(text)
	}
	if err != nil && p.err == nil {
		p.err = err
	}
	return strings.TrimSuffix(string(b), "\n")
}
