package config

import (
	"encoding"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"
)

// node is a key with its value: a section when the value is a struct, or a leaf.
type node struct {
	key  string
	path string // keys from the root, joined by dots
	doc  string
	// option is the gvp tag: a name of the Genesys Voice Platform and, after a
	// space, the form of its values.
	option string
	live   bool   // takes effect while the platform runs
	secret bool   // is not for logs
	names  string // what the value names: NamesFile and the like; empty: nothing
	value  reflect.Value
}

// children are the keys of a section in the order of its fields; a leaf has none.
func (n node) children() []node {
	v := n.value
	if !n.isSection() {
		return nil
	}
	var out []node
	for i := range v.NumField() {
		f := v.Type().Field(i)
		key, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if !f.IsExported() || key == "-" {
			continue
		}
		if key == "" {
			key = strings.ToLower(f.Name)
		}
		out = append(out, node{
			key: key, path: join(n.path, key), doc: f.Tag.Get("doc"), option: f.Tag.Get("gvp"), value: v.Field(i),
			live: f.Tag.Get("live") == "true", secret: f.Tag.Get("secret") == "true",
			names: f.Tag.Get("names"),
		})
	}
	return out
}

// elements are the values in a list or map of sections. Those of a map are copies.
func (n node) elements() []node {
	v := n.value
	if isText(v.Type()) {
		return nil
	}
	var out []node
	switch v.Kind() {
	case reflect.Slice:
		for i := range v.Len() {
			out = append(out, node{path: fmt.Sprintf("%s[%d]", n.path, i), value: v.Index(i)})
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			item := reflect.New(v.Type().Elem()).Elem()
			item.Set(v.MapIndex(k))
			out = append(out, node{path: join(n.path, k.String()), value: item})
		}
		slices.SortFunc(out, func(a, b node) int { return strings.Compare(a.path, b.path) })
	}
	return out
}

// child finds a key of a section.
func (n node) child(key string) (node, bool) {
	for _, c := range n.children() {
		if c.key == key {
			return c, true
		}
	}
	return node{}, false
}

// find is the path of a key within a section, such as cache.memory, or of a map's
// entry.
func (n node) find(words string) (path string, found bool) {
	for words != "" {
		if n.value.Kind() == reflect.Map {
			return join(n.path, words), true
		}
		key, rest, _ := strings.Cut(words, ".")
		next, known := n.child(key)
		if !known {
			return "", false
		}
		n, words = next, rest
	}
	return n.path, true
}

// descendants are all keys below a node, sections before their keys.
func (n node) descendants() []node {
	var out []node
	for _, c := range n.children() {
		out = append(out, c)
		out = append(out, c.descendants()...)
	}
	return out
}

func (n node) isSection() bool { return isSection(n.value.Type()) }

// variable is the environment variable that sets a leaf.
func (n node) variable() string {
	return variablePrefix + strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(n.path))
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// isSection tells whether a type has keys of its own.
func isSection(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && !isText(t)
}

// isText tells whether a type that is no basic one is written as text.
func isText(t reflect.Type) bool {
	return t == reflect.TypeFor[url.URL]() || reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}
