package config

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// optionsKey is the section of the file that takes options by the names they have
// in the Genesys Voice Platform, section.option, and in its units:
//
//	gvp:
//	  sip.call_rate: 100
//	  mpc.rtp.portrange: 20000-45000
const optionsKey = "gvp"

// Option is a name that a key has in the Genesys Voice Platform.
type Option struct {
	Name string // section.option
	Form string // how values are written there; empty: as here
	Key  string // the key's path
}

// The forms of values, the second word of a gvp tag.
const (
	formMilliseconds = "ms"
	formSeconds      = "s"
	formNegated      = "not"    // of a boolean
	formFirst        = "first"  // of a range, first-last
	formLast         = "last"   // of a range
	formCodecs       = "codecs" // names with spaces between them, and telephone-event, which is always there
)

// Values tells people how the option's values are written; empty: as here.
func (o Option) Values() string {
	switch o.Form {
	case formMilliseconds:
		return "milliseconds"
	case formSeconds:
		return "seconds"
	case formNegated:
		return "the opposite"
	case formFirst, formLast:
		return "FIRST-LAST"
	case formCodecs:
		return "with spaces between them"
	}
	return ""
}

// Options are all options that the struct which v points to knows, by name.
func Options(v any) ([]Option, error) {
	root, err := rootOf(v)
	if err != nil {
		return nil, err
	}
	var out []Option
	for _, n := range root.descendants() {
		if n.option != "" {
			out = append(out, n.asOption())
		}
	}
	slices.SortFunc(out, func(a, b Option) int { return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Key, b.Key)) })
	return out, nil
}

func (n node) asOption() Option {
	name, form, _ := strings.Cut(n.option, " ")
	return Option{Name: name, Form: form, Key: n.path}
}

// withOption are the keys that an option of the name sets.
func (n node) withOption(name string) (out []node) {
	for _, d := range n.descendants() {
		if d.option != "" && d.asOption().Name == name {
			out = append(out, d)
		}
	}
	return out
}

// setOptions sets keys by options' names. A key that is set by its own name as well
// is a fault: one of the two would be lost.
func (l *loader) setOptions(y ast.Node) {
	if y.Type() == ast.NullType {
		return
	}
	for _, kv := range l.pairs(node{path: optionsKey}, y) {
		keys := l.root.withOption(kv.key)
		if len(keys) == 0 {
			l.fault(kv.where, join(optionsKey, kv.key), l.unknownOption(kv.key))
			continue
		}
		text, ok := scalar(kv.value)
		if !ok {
			l.fault(kv.where, join(optionsKey, kv.key), "expected one value")
			continue
		}
		for _, n := range keys {
			if line, set := l.lines[n.path]; set {
				l.fault(kv.where, join(optionsKey, kv.key), fmt.Sprintf("%s was set in line %d already", n.path, line))
				continue
			}
			l.lines[n.path] = kv.line
			l.setOption(n, kv.where, text)
		}
	}
}

// unknownOption words the fault of a name that no key has.
func (l *loader) unknownOption(name string) string {
	best := ""
	for _, n := range l.root.descendants() {
		if n.option == "" {
			continue
		}
		if known := n.asOption().Name; best == "" || distance(name, known) < distance(name, best) {
			best = known
		}
	}
	return fmt.Sprintf("unknown option; the nearest known one is %s (mcp config options lists them)", best)
}

// setOption sets a key from a value in the option's form.
func (l *loader) setOption(n node, where, text string) {
	option := n.asOption()
	value, err := option.translate(text)
	if err != nil {
		l.fault(where, join(optionsKey, option.Name), err.Error())
		return
	}
	if option.Form == formCodecs {
		inner := loader{root: l.root, lines: map[string]int{}}
		inner.setPlain(n, value)
		return
	}
	if err := setText(n.value, value); err != nil {
		l.fault(where, join(optionsKey, option.Name), err.Error())
	}
}

// translate is a value as it is written here.
func (o Option) translate(text string) (string, error) {
	first, last, isRange := strings.Cut(text, "-")
	switch o.Form {
	case formMilliseconds, formSeconds:
		if _, err := strconv.ParseFloat(text, 64); err != nil {
			return "", fmt.Errorf("%q is no number of %s", text, o.Values())
		}
		return text + o.Form, nil
	case formNegated:
		switch strings.ToLower(text) {
		case "1", "true":
			return "false", nil
		case "0", "false":
			return "true", nil
		}
		return "", fmt.Errorf("%q is no boolean", text)
	case formFirst, formLast:
		if !isRange {
			return "", fmt.Errorf("%q is no range, such as 20000-45000", text)
		}
		if o.Form == formFirst {
			return strings.TrimSpace(first), nil
		}
		return strings.TrimSpace(last), nil
	case formCodecs:
		names := strings.Fields(strings.ToUpper(text))
		names = slices.DeleteFunc(names, func(name string) bool { return name == "TELEPHONE-EVENT" })
		return strings.Join(names, ","), nil
	}
	return text, nil
}
