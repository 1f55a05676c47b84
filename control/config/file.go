package config

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// readFile sets what a YAML text names.
func (l *loader) readFile(text []byte) {
	f, err := parser.ParseBytes(text, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		l.syntax(err)
		return
	}
	bodies := 0
	for _, doc := range f.Docs {
		if doc.Body == nil {
			continue
		}
		if bodies++; bodies > 1 {
			l.fault(l.place(doc.Body.GetToken()), "", "a second document in the file")
			return
		}
		l.set(l.root, doc.Body)
		if l.options != nil {
			l.setOptions(l.options)
		}
	}
}

func (l *loader) syntax(err error) {
	var syntax *yaml.SyntaxError
	if errors.As(err, &syntax) {
		l.fault(l.place(syntax.Token), "", "not YAML: "+syntax.Message)
		return
	}
	l.fault(l.file, "", "not YAML: "+err.Error())
}

// place names where a token stands. Text that came in an environment variable
// has no lines worth naming.
func (l *loader) place(t *token.Token) string {
	if t == nil || t.Position == nil || l.file == "" {
		return l.file
	}
	return fmt.Sprintf("%s:%d:%d", l.file, t.Position.Line, t.Position.Column)
}

// set sets a key from a YAML node. A key without a value keeps its default.
func (l *loader) set(n node, y ast.Node) {
	if y.Type() == ast.NullType {
		return
	}
	switch y.(type) {
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode:
		l.fault(l.place(y.GetToken()), n.path, "anchors, aliases and tags are not used here")
		return
	}
	v := n.value
	switch {
	case isSection(v.Type()):
		l.setSection(n, y)
	case isText(v.Type()):
		l.setLeaf(n, y)
	case v.Kind() == reflect.Slice:
		l.setSlice(n, y)
	case v.Kind() == reflect.Map:
		l.setMap(n, y)
	default:
		l.setLeaf(n, y)
	}
}

func (l *loader) setSection(n node, y ast.Node) {
	for _, kv := range l.pairs(n, y) {
		child, ok := n.child(kv.key)
		if !ok && n.path == "" && kv.key == optionsKey {
			l.options = kv.value // after everything else, to see what is set twice
			continue
		}
		if !ok {
			l.fault(kv.where, join(n.path, kv.key), unknown(l.root, n, kv.key))
			continue
		}
		l.lines[child.path] = kv.line
		l.set(child, kv.value)
	}
}

// pair is a key of a YAML mapping with its value.
type pair struct {
	key   string
	where string
	line  int
	value ast.Node
}

// pairs takes a mapping apart and reports keys that come twice.
func (l *loader) pairs(n node, y ast.Node) []pair {
	var values []*ast.MappingValueNode
	switch m := y.(type) {
	case *ast.MappingNode:
		values = m.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{m}
	default:
		l.fault(l.place(y.GetToken()), n.path, "expected keys with values")
		return nil
	}
	var out []pair
	seen := map[string]int{}
	for _, kv := range values {
		t := kv.Key.GetToken()
		p := pair{key: t.Value, where: l.place(t), line: t.Position.Line, value: kv.Value}
		if first, twice := seen[p.key]; twice {
			l.fault(p.where, join(n.path, p.key), fmt.Sprintf("key was set in line %d already", first))
			continue
		}
		seen[p.key] = p.line
		out = append(out, p)
	}
	return out
}

// setSlice replaces a list as a whole.
func (l *loader) setSlice(n node, y ast.Node) {
	seq, ok := y.(*ast.SequenceNode)
	if !ok {
		l.fault(l.place(y.GetToken()), n.path, "expected a list")
		return
	}
	list := reflect.MakeSlice(n.value.Type(), len(seq.Values), len(seq.Values))
	for i, item := range seq.Values {
		element := node{path: fmt.Sprintf("%s[%d]", n.path, i), value: list.Index(i)}
		l.note(element.path, item)
		l.set(element, item)
	}
	n.value.Set(list)
}

// note remembers in which line the value of a path stands.
func (l *loader) note(path string, y ast.Node) {
	if t := y.GetToken(); l.file != "" && t != nil && t.Position != nil {
		l.lines[path] = t.Position.Line
	}
}

// setMap replaces a map as a whole.
func (l *loader) setMap(n node, y ast.Node) {
	t := n.value.Type()
	m := reflect.MakeMap(t)
	for _, kv := range l.pairs(n, y) {
		item := reflect.New(t.Elem()).Elem()
		l.lines[join(n.path, kv.key)] = kv.line
		l.set(node{path: join(n.path, kv.key), value: item}, kv.value)
		m.SetMapIndex(reflect.ValueOf(kv.key).Convert(t.Key()), item)
	}
	n.value.Set(m)
}

func (l *loader) setLeaf(n node, y ast.Node) {
	text, ok := scalar(y)
	if !ok {
		l.fault(l.place(y.GetToken()), n.path, "expected a "+kindName(n.value.Type()))
		return
	}
	if err := setText(n.value, text); err != nil {
		l.fault(l.place(y.GetToken()), n.path, err.Error())
	}
}

// scalar is the text of a YAML scalar as it was written, quotes apart: a string
// may look like a number.
func scalar(y ast.Node) (string, bool) {
	switch s := y.(type) {
	case *ast.StringNode:
		return s.Value, true
	case *ast.LiteralNode:
		return s.Value.Value, true
	case ast.ScalarNode:
		return s.GetToken().Value, true
	}
	return "", false
}
