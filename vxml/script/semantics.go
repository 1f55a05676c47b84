package script

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/dop251/goja"
	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/token"

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
	if m.lost == nil && !m.implicit {
		if v, ok := m.simply(t); ok {
			return m.Value(v), nil
		}
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

// Most tags set out to a literal, or add one, or what a rule means, to what it is. What
// they come to needs no engine, as long as no script has given objects code of their own.

// setting is such a tag.
type setting struct {
	adds    bool
	literal any    // string, bool, int64 or float64; nil: it is what a rule means
	rule    string // which
}

// maxSimple bounds the text, in bytes, that tags put together without limits.
const maxSimple = 4 << 10

// settingOf is the setting that a tag is, or nil.
func settingOf(tag *ast.Program) *setting {
	e, _ := single(tag)
	set, ok := e.(*ast.AssignExpression)
	if !ok || set.Operator != token.ASSIGN && set.Operator != token.PLUS {
		return nil
	}
	if out, ok := set.Left.(*ast.Identifier); !ok || out.Name != "out" {
		return nil
	}
	to := &setting{adds: set.Operator == token.PLUS, literal: literal(set.Right)}
	if names, ok := path(set.Right); ok && len(names) == 2 && names[0] == "rules" && names[1] != "__proto__" {
		to.rule = names[1]
	}
	if to.literal == nil && to.rule == "" {
		return nil
	}
	return to
}

// simply is what a parse means, in plain Go; false: its tags have to be run to know.
func (m *Machine) simply(t *grammar.Tree) (any, bool) {
	run := simpleRun{machine: m}
	for _, n := range t.Nodes {
		if n.Rule != nil && !run.enter(n.Rule) || n.Tag != nil && !run.tag(t, *n.Tag) {
			return nil, false
		}
	}
	switch {
	case run.tagged && t.Format == grammar.Literals:
		return strings.TrimSpace(run.last), true
	case run.tagged:
		return run.out, run.out != nil
	case run.latest != nil:
		return run.latest, true
	}
	return t.Text(), true
}

// simpleRun interprets one rule of a parse whose tags are settings.
type simpleRun struct {
	machine *Machine
	out     any            // nil: no tag has set it
	latest  any            // that a rule within means; nil: there is none
	means   map[string]any // the rules within, by name; nil: there is none
	tagged  bool
	last    string // tag
}

func (r *simpleRun) enter(t *grammar.Tree) (ok bool) {
	if r.means == nil {
		r.means = make(map[string]any)
	}
	r.latest, ok = r.machine.simply(t)
	r.means[t.Rule] = r.latest
	return ok
}

// tag takes in a tag of the rule t; false: it is no setting, or none that could be.
func (r *simpleRun) tag(t *grammar.Tree, text string) bool {
	r.tagged, r.last = true, text
	if t.Format != grammar.Script || len(t.Header) > 0 {
		return t.Format == grammar.Literals
	}
	p, err := r.machine.cache.program(key{kind: tag, text: text}, Source{Text: text}, inlineWork)
	if err != nil || p.sets == nil {
		return false
	}
	value := p.sets.literal
	if value == nil {
		value = r.means[p.sets.rule]
	}
	if p.sets.adds {
		before, ok1 := r.out.(string)
		more, ok2 := value.(string)
		if !ok1 || !ok2 || len(before)+len(more) > maxSimple {
			return false
		}
		value = before + more
	}
	r.out = value
	return value != nil
}
