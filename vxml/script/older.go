package script

import (
	_ "embed"
	"fmt"

	"github.com/dop251/goja"
)

//go:embed older.js
var olderText string

var olderProgram = goja.MustCompile("older.js", olderText, true)

// age gives the engine what is older. Few scripts need that, and it takes time.
func (m *Machine) age() error {
	v, err := m.engine().RunProgram(olderProgram)
	if err != nil {
		return fmt.Errorf("older.js: %w", err)
	}
	if f, ok := goja.AssertFunction(v); ok {
		_, err = f(goja.Undefined())
	}
	if err == nil {
		err = m.remember()
	}
	m.aged = err == nil
	return err
}

// remember lets pages read what the last regular expression matched: RegExp.$1.
func (m *Machine) remember() error {
	of, ok := m.engine().Get("RegExp").(*goja.Object)
	if !ok {
		return nil
	}
	part := func(at func(*goja.Object) string) goja.Value {
		return m.engine().ToValue(func() goja.Value {
			if m.matched == nil {
				return m.engine().ToValue("")
			}
			if v := m.matched.Get(at(m.matched)); v != nil && !goja.IsUndefined(v) {
				return v
			}
			return m.engine().ToValue("")
		})
	}
	parts := map[string]goja.Value{
		"lastMatch": part(func(*goja.Object) string { return "0" }),
		"lastParen": part(func(o *goja.Object) string { return fmt.Sprint(length(o) - 1) }),
	}
	for i := 1; i <= 9; i++ {
		parts[fmt.Sprintf("$%d", i)] = part(func(*goja.Object) string { return fmt.Sprint(i) })
	}
	for name, get := range parts {
		if err := of.DefineAccessorProperty(name, get, nil, goja.FLAG_TRUE, goja.FLAG_FALSE); err != nil {
			return fmt.Errorf("RegExp.%s: %w", name, err)
		}
	}
	return nil
}
