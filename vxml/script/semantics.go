package script

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/dop251/goja"

	"mcp/vxml/grammar"
)

// Interpret computes what a parse means (SISR 1.0). A grammar that states no tag
// format is taken as most are meant: its tags are scripts whose value counts
// when they do not set out themselves, and text that is no script is a literal;
// without any tag the meaning is the text that was matched.
func (m *Machine) Interpret(ctx context.Context, t *grammar.Tree) (Value, error) {
	if t.Format == grammar.Unstated && !t.Tagged() {
		return m.Value(t.Text()), nil
	}
	v, err := m.call(ctx, Source{Text: "grammar rule " + t.Rule}, func() (goja.Value, error) {
		return m.interpret(t)
	})
	return Value{v, m}, err
}

func (m *Machine) interpret(t *grammar.Tree) (goja.Value, error) {
	r := &ruleRun{machine: m, tree: t, rules: m.engine().NewObject(), meta: m.engine().NewObject()}
	if t.Format == grammar.Literals {
		return r.literals()
	}
	src := r.source()
	if src == "" {
		return r.untagged()
	}
	id := key{kind: semantics, text: src}
	p, err := m.cache.program(id, Source{Text: src, Name: "rule " + t.Rule}, m.limits.Work)
	if err != nil {
		return nil, err
	}
	f, err := m.function(id, p)
	if err != nil {
		return nil, err
	}
	if err := r.bind(p.refers); err != nil {
		return nil, err
	}
	return f(goja.Undefined(), r.rules, r.meta, m.engine().ToValue(func(goja.FunctionCall) goja.Value {
		if err := r.advance(); err != nil {
			panic(m.engine().NewGoError(err))
		}
		return goja.Undefined()
	}))
}

// ruleRun interprets one rule of a parse.
type ruleRun struct {
	machine *Machine
	tree    *grammar.Tree
	rules   *goja.Object
	meta    *goja.Object
	next    int // node that advance goes on from
	heard   []string
	latest  goja.Value
	name    string // of the latest rule
	about   bool   // tags refer to meta
}

// source writes the rule's tags as one function, so that they share variables;
// between them $advance takes in the tokens and rules that stand there. It is
// empty when the rule has no tags.
func (r *ruleRun) source() string {
	var b strings.Builder
	tags := 0
	for _, n := range r.tree.Nodes {
		if n.Tag == nil {
			continue
		}
		tags++
		b.WriteString("$advance();\n")
		if r.tree.Format == grammar.Script {
			b.WriteString(*n.Tag + "\n;")
		} else {
			b.WriteString(looseTag(*n.Tag))
		}
	}
	if tags == 0 {
		return ""
	}
	head := strings.Join(r.tree.Header, "\n;")
	return "function(rules,meta,$advance){" + head + "\n;var out={},$v,$o;" + b.String() + "\nreturn out;}"
}

// looseTag is a tag of no stated format.
func looseTag(text string) string {
	literal := strings.TrimSpace(text)
	text = modern(literal)
	quoted, err := json.Marshal(text)
	if err != nil {
		return ""
	}
	plain, err := json.Marshal(literal)
	if err != nil {
		return ""
	}
	if _, err := parse("", text, inlineWork); err != nil {
		return fmt.Sprintf("out=%s;", plain)
	}
	return fmt.Sprintf(`try{$o=out;$v=eval(%s);`+
		`if($v!==undefined&&out===$o&&!(typeof out==="object"&&Object.keys(out).length))out=$v;`+
		`}catch(e){if(!(e instanceof ReferenceError))throw e;out=%s;}`, quoted, plain)
}

// older are the variables of the drafts of SISR, which pages without a tag format
// still use, and strings, which are left alone.
var older = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\$\$|\$[A-Za-z_]\w*|\$`)

// modern writes $ as out, $$ as rules.latest() and $name as rules.name.
func modern(tag string) string {
	return older.ReplaceAllStringFunc(tag, func(s string) string {
		switch {
		case s == "$":
			return "out"
		case s == "$$":
			return "rules.latest()"
		case s[0] == '$':
			return "rules." + s[1:]
		}
		return s
	})
}

// references are what tags can refer to besides the values of rules.
type references struct{ latest, meta bool }

// computed are the ways to refer to something without its name.
var computed = regexp.MustCompile(`eval|Function|constructor|\[`)

// referencesOf tells what the tags of a rule may refer to.
func referencesOf(text string) references {
	text = strings.ReplaceAll(text, "$v=eval", "") // which is ours
	any := computed.MatchString(text)
	return references{latest: any || strings.Contains(text, "latest"), meta: any || strings.Contains(text, "meta")}
}

// bind makes rules.latest, meta.current and meta.latest, where tags refer to them.
func (r *ruleRun) bind(refers references) error {
	if refers.latest {
		if err := r.rules.Set("latest", func(goja.FunctionCall) goja.Value { return Value{v: r.latest}.raw() }); err != nil {
			return err
		}
	}
	if r.about = refers.meta; !r.about {
		return nil
	}
	if err := r.meta.Set("current", func(goja.FunctionCall) goja.Value {
		return r.machine.reading(r.tree.Mode.Join(r.heard))
	}); err != nil {
		return err
	}
	return r.meta.Set("latest", func(goja.FunctionCall) goja.Value {
		if r.name == "" {
			return goja.Undefined()
		}
		return r.meta.Get(r.name)
	})
}

// reading is what SISR 1.0 section 3.3.3 has meta say of a rule.
func (m *Machine) reading(text string) goja.Value {
	o := m.engine().NewObject()
	// A fresh plain object accepts every property.
	_ = o.Set("text", text)
	_ = o.Set("score", 1)
	return o
}

// advance takes in nodes up to and including the next tag.
func (r *ruleRun) advance() error {
	for r.next < len(r.tree.Nodes) {
		n := r.tree.Nodes[r.next]
		r.next++
		switch {
		case n.Tag != nil:
			return nil
		case n.Rule != nil:
			if err := r.enter(n.Rule); err != nil {
				return err
			}
		default:
			r.heard = append(r.heard, r.tree.Mode.Tokens(n.Token)...)
		}
	}
	return nil
}

func (r *ruleRun) enter(t *grammar.Tree) error {
	v, err := r.machine.interpret(t)
	if err != nil {
		return err
	}
	r.latest, r.name = v, t.Rule
	r.heard = append(r.heard, t.Tokens()...)
	if err := r.rules.Set(t.Rule, v); err != nil || !r.about {
		return err
	}
	return r.meta.Set(t.Rule, r.machine.reading(t.Text()))
}

// untagged is the default assignment: the latest rule's value, or the text.
func (r *ruleRun) untagged() (goja.Value, error) {
	if err := r.advance(); err != nil {
		return nil, err
	}
	if r.latest == nil {
		return unowned(r.tree.Text()), nil
	}
	return r.latest, nil
}

// literals is the value of a rule whose tags are string literals: the last one.
func (r *ruleRun) literals() (goja.Value, error) {
	for i := len(r.tree.Nodes) - 1; i >= 0; i-- {
		if tag := r.tree.Nodes[i].Tag; tag != nil {
			return unowned(strings.TrimSpace(*tag)), nil
		}
	}
	return r.untagged()
}
