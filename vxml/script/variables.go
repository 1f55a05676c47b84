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
	if v.list == nil {
		v.list = make([]variable, 0, 2)
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
		v.list = nil
	}
	return v.object
}

// NewReadOnly opens an outermost scope whose variables are those that list names, which
// is called once, when a script first asks. What a variable is gets made when it is first
// read. Pages can neither declare nor change variables of the scope, nor change any object
// in them.
func (m *Machine) NewReadOnly(name string, list func() []string, make func(name string) (Value, error)) *Scope {
	s := m.NewScope(nil, name)
	s.vars.fixed = &constants{machine: m, list: list, make: make}
	return s
}

// constants are the variables of a read-only scope.
type constants struct {
	machine *Machine
	list    func() []string
	names   []string // nil: nobody has asked
	make    func(name string) (Value, error)
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
	made, err := c.make(name)
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
		c.names = c.list()
	}
	return c.names
}
