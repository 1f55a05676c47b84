package script

import (
	"slices"

	"github.com/dop251/goja"
)

// NewReadOnly opens an outermost scope whose variables are those named. What a
// variable is gets made when it is first read. Pages can neither declare nor change
// variables of the scope, nor change any object in them.
func (m *Machine) NewReadOnly(name string, variables []string, make func(name string) (Value, error)) *Scope {
	vars := &constants{machine: m, names: variables, make: make}
	object := m.vm.NewDynamicObject(vars)
	// Nothing stands outside a scope but the next; this cannot fail on a fresh object.
	_ = object.SetPrototype(nil)
	s := m.adopt(nil, name, object)
	s.fixed = vars
	return s
}

// constants are the variables of a read-only scope.
type constants struct {
	machine *Machine
	names   []string
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
		panic(c.machine.vm.NewGoError(err))
	}
	if c.made == nil {
		c.made = make(map[string]goja.Value)
	}
	c.made[name] = v
	return v
}

func (c *constants) Has(name string) bool        { return slices.Contains(c.names, name) }
func (c *constants) Set(string, goja.Value) bool { return false }
func (c *constants) Delete(name string) bool     { return !c.Has(name) }
func (c *constants) Keys() []string              { return c.names }
