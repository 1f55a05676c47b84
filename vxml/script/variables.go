package script

import (
	"slices"

	"github.com/dop251/goja"
)

// variables are those of a scope. They are a list until the engine has to see them, which
// most scopes live without, or until they are many.
type variables struct {
	list   []variable
	fixed  *constants   // of a read-only scope, instead
	object *goja.Object // nil: the engine has not had to see them
}

type variable struct {
	name  string
	value any // a goja.Value, or the func() goja.Value that makes it when somebody asks
}

func (v *variable) known() goja.Value {
	if make, ok := v.value.(func() goja.Value); ok {
		v.value = make()
	}
	value, _ := v.value.(goja.Value)
	return value
}

// maxListed is how many variables are a list.
const maxListed = 8

// get is the value of a variable, nil where there is none.
func (v *variables) get(name string) goja.Value {
	switch {
	case v.object != nil: // which has no prototype
		return v.object.Get(name)
	case v.fixed != nil:
		return v.fixed.Get(name)
	}
	for i := range v.list {
		if v.list[i].name == name {
			return v.list[i].known()
		}
	}
	return nil
}

// has tells whether there is such a variable.
func (v *variables) has(name string) bool {
	switch {
	case v.fixed != nil:
		return v.fixed.Has(name)
	case v.object != nil:
		return v.object.Get(name) != nil
	}
	return slices.ContainsFunc(v.list, func(one variable) bool { return one.name == name })
}

// set gives a variable its value, and makes it when needed.
func (v *variables) set(m *Machine, name string, value goja.Value) error {
	return v.put(m, variable{name, value})
}

func (v *variables) put(m *Machine, one variable) error {
	for i := range v.list {
		if v.list[i].name == one.name {
			v.list[i] = one
			return nil
		}
	}
	if v.object != nil || v.fixed != nil || len(v.list) == maxListed {
		return v.seen(m).Set(one.name, one.known())
	}
	v.list = append(v.list, one)
	return nil
}

// names are those of the variables, in order.
func (v *variables) names() []string {
	switch {
	case v.object != nil:
		return v.object.Keys()
	case v.fixed != nil:
		return v.fixed.Keys()
	}
	out := make([]string, len(v.list))
	for i := range v.list {
		out[i] = v.list[i].name
	}
	return out
}

// seen are the variables as the object that scripts see. It has no prototype, since
// nothing stands outside a scope but the next.
func (v *variables) seen(m *Machine) *goja.Object {
	switch {
	case v.object != nil:
	case v.fixed != nil:
		v.object = m.engine().NewDynamicObject(v.fixed)
		_ = v.object.SetPrototype(nil) // this cannot fail on a fresh object, nor can what follows
	default:
		v.object = m.engine().CreateObject(nil)
		for _, one := range v.list {
			_ = v.object.Set(one.name, one.known())
		}
		clear(v.list)
		v.list = nil
	}
	return v.object
}

// Facts are the variables of a read-only scope.
type Facts interface {
	// Names are those of the variables. It is called once, when a script first asks.
	Names() []string
	// Value makes what a variable is, when it is first read.
	Value(name string) (Value, error)
}

// NewReadOnly opens an outermost scope. Pages can neither declare nor change variables of
// the scope, nor change any object in them.
func (m *Machine) NewReadOnly(name string, facts Facts) *Scope {
	var s struct {
		Scope
		variables
		constants
	}
	s.constants = constants{machine: m, facts: facts}
	s.variables.fixed = &s.constants
	s.Scope = Scope{machine: m, name: name, vars: &s.variables}
	return &s.Scope
}

// constants are the variables of a read-only scope as the engine sees them.
type constants struct {
	machine *Machine
	facts   Facts
	names   []string // nil: nobody has asked
	made    map[string]goja.Value
}

// Get implements goja.DynamicObject, as do those below.
func (c *constants) Get(name string) goja.Value {
	if !c.Has(name) {
		return nil
	}
	if v, ok := c.made[name]; ok {
		return v
	}
	made, err := c.facts.Value(name)
	v := made.raw()
	if o, ok := v.(*goja.Object); ok && err == nil {
		err = c.machine.freeze(o)
	}
	if err != nil {
		panic(c.machine.engine().NewGoError(err))
	}
	if c.made == nil {
		c.made = make(map[string]goja.Value)
	}
	c.made[name] = v
	return v
}

func (c *constants) Has(name string) bool        { return slices.Contains(c.Keys(), name) }
func (c *constants) Set(string, goja.Value) bool { return false }
func (c *constants) Delete(name string) bool     { return !c.Has(name) }

func (c *constants) Keys() []string {
	if c.names == nil {
		c.names = c.facts.Names()
	}
	return c.names
}
