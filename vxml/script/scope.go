package script

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/dop251/goja"

	spelling "mcp/vxml/near"
)

// Scope is one scope of the chain and everything outside it.
type Scope struct {
	machine *Machine
	name    string
	parent  *Scope
	vars    *variables
	chain   *lineage          // nil: no script has been run in it
	told    map[string]string // by Changed, of its variables
}

// lineage is the names of a chain of scopes, the outermost first. All sessions have the
// same few, which the cache keeps.
type lineage struct {
	names  string // the compiled function's parameters
	depth  int
	within map[string]*lineage
}

// lineage is that of the chain that ends with s.
func (s *Scope) lineage() *lineage {
	if s.chain == nil {
		c := s.machine.cache
		outer := &c.outermost
		if s.parent != nil {
			outer = s.parent.lineage()
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		s.chain = outer.add(s.name)
	}
	return s.chain
}

// add is the lineage of a scope within.
func (c *lineage) add(name string) *lineage {
	if known := c.within[name]; known != nil {
		return known
	}
	if c.within == nil {
		c.within = make(map[string]*lineage)
	}
	parameter := name
	if name == "" { // anonymous scopes nest, and parameters need names of their own
		parameter = fmt.Sprintf("$%d", c.depth)
	}
	known := &lineage{names: strings.TrimSuffix(c.names, innermost) + parameter + " " + innermost, depth: c.depth + 1}
	c.within[name] = known
	return known
}

// NewScope opens a scope within parent, which is nil for the session scope. Name
// is what the page may call the scope by, or empty for an anonymous one.
func (m *Machine) NewScope(parent *Scope, name string) *Scope {
	var s struct { // which are never one without the others
		Scope
		variables
		few [2]variable
	}
	s.variables.list = s.few[:0]
	s.Scope = Scope{machine: m, name: name, parent: parent, vars: &s.variables}
	return &s.Scope
}

// Alias opens a scope that is s itself under another name: in an application
// root document "document" is "application".
func (s *Scope) Alias(name string) *Scope {
	return &Scope{machine: s.machine, name: name, parent: s, vars: s.vars}
}

func (m *Machine) freezer() (goja.Callable, error) {
	object, _ := m.engine().Get("Object").(*goja.Object)
	call, ok := goja.AssertFunction(object.Get("freeze"))
	if !ok {
		return nil, errors.New("freeze: the engine has no Object.freeze")
	}
	return call, nil
}

// freeze makes an object read-only, and every object in it.
func (m *Machine) freeze(o *goja.Object) error {
	call, err := m.freezer()
	if err == nil {
		err = deep(o, call, make(map[*goja.Object]bool))
	}
	return err
}

// deep freezes an object and all that is in it. That is done from here since a
// script to do it would have to be compiled for each session.
func deep(o *goja.Object, freeze goja.Callable, done map[*goja.Object]bool) error {
	if done[o] {
		return nil
	}
	done[o] = true
	if _, err := freeze(goja.Undefined(), o); err != nil {
		return err
	}
	for _, name := range o.Keys() {
		if inner, ok := o.Get(name).(*goja.Object); ok {
			if err := deep(inner, freeze, done); err != nil {
				return err
			}
		}
	}
	return nil
}

// args are the scope objects, outermost first, and the innermost once more as $scope.
func (s *Scope) args() []goja.Value {
	n := s.lineage().depth
	out := make([]goja.Value, n+1)
	out[n] = s.object()
	for ; s != nil; s = s.parent {
		n--
		out[n] = s.object()
	}
	return out
}

// object is the scope as scripts see it.
func (s *Scope) object() *goja.Object { return s.vars.seen(s.machine) }

func (s *Scope) run(ctx context.Context, k kind, src Source) (goja.Value, *program, error) {
	m := s.machine
	if m.lost != nil {
		return nil, nil, m.lost
	}
	if len(src.Text) > m.limits.Size {
		return nil, nil, &Error{Source: src, Message: m.limits.oversize()}
	}
	id := key{chain: s.lineage().names, kind: k, text: src.Text}
	p, err := m.cache.program(id, src, m.limits.Work)
	if err != nil {
		return nil, nil, err
	}
	for _, name := range p.vars {
		if !s.own(name) {
			if err := s.vars.set(m, name, goja.Undefined()); err != nil {
				return nil, nil, m.fault(src, err)
			}
		}
	}
	if v := s.plainly(src, p.plain); v != nil {
		return v, p, nil
	}
	call := m.call
	if p.plain.brief && !m.implicit {
		call = m.briefly
	}
	v, err := call(ctx, src, func() (goja.Value, error) {
		f, err := m.function(id, p)
		if err != nil {
			return nil, err
		}
		return f(s.object(), s.args()...)
	})
	s.hint(err)
	return v, p, err
}

var undeclared = regexp.MustCompile(`^ReferenceError: ([^ ]+) is not defined$`)

// hint adds to the error of a variable that no scope has the one that was probably meant.
func (s *Scope) hint(err error) {
	var fault *Error
	if !errors.As(err, &fault) {
		return
	}
	if m := undeclared.FindStringSubmatch(fault.Message); m != nil {
		fault.Message += s.meant(m[1])
	}
}

// meant asks whether a variable in force, or a scope, was meant by a name that is neither.
func (s *Scope) meant(name string) string {
	var names []string
	for ; s != nil && s.machine.lost == nil; s = s.parent {
		names = append(append(names, s.vars.names()...), s.name)
	}
	if meant := spelling.Meant(name, names); meant != "" {
		return fmt.Sprintf(": did you mean %q?", meant)
	}
	return ""
}

func (m *Machine) function(id key, p *program) (goja.Callable, error) {
	if f := m.compiled[id]; f != nil {
		return f, nil
	}
	m.guard(p.reach)
	m.implicit = m.implicit || p.implicit
	if p.older && !m.aged {
		if err := m.age(); err != nil {
			return nil, err
		}
	}
	v, err := m.engine().RunProgram(p.code)
	if err == nil && p.evals {
		v, err = m.evaluating(v)
	}
	if err != nil {
		return nil, err
	}
	f, ok := goja.AssertFunction(v)
	if !ok {
		return nil, fmt.Errorf("compiled script is not a function")
	}
	if m.compiled == nil {
		m.compiled = make(map[key]goja.Callable)
	}
	m.compiled[id] = f
	return f, nil
}

// Eval evaluates an expression.
func (s *Scope) Eval(ctx context.Context, src Source) (Value, error) {
	v, _, err := s.run(ctx, expression, src)
	return Value{v, s.machine}, err
}

// Run runs the statements of a <script>: its declarations become variables of
// the scope.
func (s *Scope) Run(ctx context.Context, src Source) error {
	_, _, err := s.run(ctx, statements, src)
	return err
}

// own tells whether this very scope declares name.
func (s *Scope) own(name string) bool { return s.machine.lost == nil && s.vars.has(name) }

// Declare sets a variable of this very scope, making it when needed.
func (s *Scope) Declare(name string, v Value) error {
	if s.machine.lost != nil {
		return s.machine.lost
	}
	return s.vars.set(s.machine, name, v.raw())
}

// DeclareLater does so with what is made when somebody first asks for it.
func (s *Scope) DeclareLater(name string, make func() Value) error {
	if s.machine.lost != nil {
		return s.machine.lost
	}
	return s.vars.put(s.machine, variable{name, func() goja.Value { return make().raw() }})
}

// Changed calls tell for each variable of this very scope whose value write makes a text
// of that is not the one it was when tell was last called for it. Functions are left out,
// and variables that have had no value yet.
func (s *Scope) Changed(write func(Value) string, tell func(name string, v Value, text string)) {
	if s.machine.lost != nil || s.parent != nil && s.parent.vars == s.vars {
		return
	}
	for _, name := range s.vars.names() {
		v := s.Get(name)
		before, known := s.told[name]
		if _, calls := goja.AssertFunction(v.raw()); calls || v.Undefined() && !known {
			continue
		}
		if now := write(v); !known || now != before {
			if s.told == nil {
				s.told = make(map[string]string)
			}
			tell(name, v, now)
			s.told[name] = write(v) // which tell may have hidden
		}
	}
}

// Name is what pages call the scope by; empty for an anonymous one.
func (s *Scope) Name() string { return s.name }

// Get returns a variable of this very scope; undefined when there is none.
func (s *Scope) Get(name string) Value {
	if s.machine.lost != nil {
		return Value{goja.Undefined(), s.machine}
	}
	v := s.vars.get(name)
	if v == nil {
		v = goja.Undefined()
	}
	return Value{v, s.machine}
}

// Find returns the innermost scope that declares name, or nil.
func (s *Scope) Find(name string) *Scope {
	for ; s != nil; s = s.parent {
		if s.own(name) {
			return s
		}
	}
	return nil
}

// named returns the scope called name, or nil.
func (s *Scope) named(name string) *Scope {
	for ; s != nil; s = s.parent {
		if s.name == name {
			return s
		}
	}
	return nil
}

var identifierPattern = regexp.MustCompile(`^[\p{L}_$][\p{L}\p{Nd}_$]*$`)

// IsName tells whether s may name a variable: an identifier without a scope in
// front of it.
func IsName(s string) bool { return identifierPattern.MatchString(s) }

// Assign carries out <assign>: the variable, perhaps with a scope's name in
// front or properties behind, must be declared and must not be the session's
// (VoiceXML 2.0 section 5.3.2).
func (s *Scope) Assign(ctx context.Context, target string, value Value) error {
	src := Source{Text: target}
	first, rest, dotted := strings.Cut(target, ".")
	first, _, indexed := strings.Cut(first, "[")
	owner := s.Find(first)
	if scope := s.named(first); scope != nil && owner == nil && dotted {
		owner, first = scope, rest
		first, _, dotted = strings.Cut(first, ".")
		first, _, indexed = strings.Cut(first, "[")
		if !owner.own(first) {
			owner = nil
		}
	}
	switch {
	case owner == nil:
		return &Error{Source: src, Message: "the variable is not declared" + cmp.Or(s.meant(first), ": declare it with <var>")}
	case owner.vars.fixed != nil:
		return &Error{Source: src, Message: "session variables are read-only"}
	case !dotted && !indexed:
		return owner.vars.set(s.machine, first, value.raw())
	}
	holder := s.machine.NewScope(s, "")
	if err := holder.Declare("$value", value); err != nil {
		return err
	}
	_, _, err := holder.run(ctx, assignment, Source{Text: target + " = $value"})
	return err
}
