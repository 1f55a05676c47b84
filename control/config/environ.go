package config

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/parser"
)

const variablePrefix = "MCP_"

// serviceLink matches the variables that Kubernetes sets for every service: for
// one named mcp-sip, MCP_SIP_SERVICE_HOST, MCP_SIP_PORT_5070_TCP and so on.
var serviceLink = regexp.MustCompile(`_SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)$|_PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$`)

// readEnviron sets what the environment names.
func (l *loader) readEnviron(environ []string) {
	leaves := map[string]node{}
	for _, n := range l.root.descendants() {
		if !n.isSection() {
			leaves[n.variable()] = n
		}
	}
	for _, entry := range slices.Sorted(slices.Values(environ)) {
		name, text, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, variablePrefix) {
			continue
		}
		n, ok := leaves[name]
		if !ok {
			l.unknownVariable(name, leaves)
			continue
		}
		delete(l.lines, n.path)
		l.variables[n.path] = name
		l.setVariable(name, n, text)
	}
}

// unknownVariable reports a variable that begins as a section's do. Others may
// well be meant for somebody else.
func (l *loader) unknownVariable(name string, leaves map[string]node) {
	ours := slices.ContainsFunc(l.root.children(), func(section node) bool {
		return strings.HasPrefix(name, section.variable()+"_")
	})
	if !ours || serviceLink.MatchString(name) {
		return
	}
	best := ""
	for known := range leaves {
		d, least := distance(name, known), distance(name, best)
		if best == "" || d < least || d == least && known < best {
			best = known
		}
	}
	l.fault("environment", name, fmt.Sprintf("unknown variable; the nearest known one is %s", best))
}

// setVariable sets a leaf from a variable: lists as a,b and maps as a=1,b=2, or
// both in YAML's own notation, [a, b] and {a: 1}.
func (l *loader) setVariable(name string, n node, text string) {
	v := n.value
	compound := (v.Kind() == reflect.Slice || v.Kind() == reflect.Map) && !isText(v.Type())
	if !compound {
		if err := setText(v, text); err != nil {
			l.fault("environment "+name, n.path, err.Error())
		}
		return
	}
	inner := loader{root: l.root, lines: map[string]int{}}
	if strings.HasPrefix(text, "[") || strings.HasPrefix(text, "{") {
		inner.setFlow(n, text)
	} else {
		inner.setPlain(n, text)
	}
	for _, f := range inner.faults {
		l.fault("environment "+name, f.Key, f.Problem)
	}
}

func (l *loader) setFlow(n node, text string) {
	f, err := parser.ParseBytes([]byte(text), 0, parser.AllowDuplicateMapKey())
	if err != nil {
		l.syntax(err)
		return
	}
	l.set(n, f.Docs[0].Body)
}

func (l *loader) setPlain(n node, text string) {
	t := n.value.Type()
	fresh := reflect.MakeSlice(reflect.SliceOf(t.Elem()), 0, 4)
	m := reflect.MakeMap(reflect.MapOf(reflect.TypeFor[string](), t.Elem()))
	for _, part := range strings.Split(text, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		item := reflect.New(t.Elem()).Elem()
		key, value, paired := strings.Cut(part, "=")
		if t.Kind() == reflect.Slice {
			value = part
		} else if !paired {
			l.fault("", n.path, fmt.Sprintf("%q is not of the form key=value", part))
			continue
		}
		if err := setText(item, value); err != nil {
			l.fault("", n.path, err.Error())
			continue
		}
		fresh = reflect.Append(fresh, item)
		m.SetMapIndex(reflect.ValueOf(key), item)
	}
	if t.Kind() == reflect.Slice {
		n.value.Set(fresh.Convert(t))
		return
	}
	n.value.Set(m.Convert(t))
}
