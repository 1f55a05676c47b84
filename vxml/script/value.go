package script

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/dop251/goja"
)

// Value is an ECMAScript value of one machine. The zero Value is undefined.
type Value struct {
	v       goja.Value
	machine *Machine
}

func (v Value) raw() goja.Value {
	if v.v == nil {
		return goja.Undefined()
	}
	return v.v
}

// Undefined tells whether v is undefined.
func (v Value) Undefined() bool { return v.v == nil || goja.IsUndefined(v.v) }

// Null tells whether v is null.
func (v Value) Null() bool { return v.v != nil && goja.IsNull(v.v) }

// Bool is v converted to a boolean.
func (v Value) Bool() bool { return v.raw().ToBoolean() }

// Int is v converted to an integer; 0 when its conversion throws.
func (v Value) Int() int {
	if !v.IsObject() {
		return int(v.raw().ToInteger())
	}
	return int(v.guard(func() goja.Value { return unowned(v.raw().ToInteger()) }).ToInteger())
}

// guard runs a conversion or access, which may be the page's own code when v is
// an object, under the machine's limits. What fails is undefined.
func (v Value) guard(f func() goja.Value) goja.Value {
	if !v.IsObject() {
		return f()
	}
	out, err := v.machine.call(context.Background(), Source{}, func() (out goja.Value, err error) {
		if thrown := v.vm().Try(func() { out = f() }); thrown != nil {
			return nil, thrown
		}
		return out, nil
	})
	if err != nil {
		return goja.Undefined()
	}
	return out
}

func (v Value) vm() *goja.Runtime { return v.machine.vm }

// unowned makes a value that has no members, and so belongs to no engine: of who makes
// it ToValue asks nothing then.
func unowned(x any) goja.Value { return (*goja.Runtime)(nil).ToValue(x) }

// IsObject tells whether v is an object: not a string, number, boolean, null or undefined.
func (v Value) IsObject() bool {
	_, ok := v.v.(*goja.Object)
	return ok
}

// String is v converted to a string, as the expression ”+v would.
func (v Value) String() string {
	return v.guard(func() goja.Value { return v.raw().ToString() }).String()
}

// Get returns a property of an object value; undefined when there is none.
func (v Value) Get(name string) Value {
	o, ok := v.v.(*goja.Object)
	if !ok {
		return Value{machine: v.machine}
	}
	return Value{v.guard(func() goja.Value { return o.Get(name) }), v.machine}
}

// Has tells whether an object value has a property.
func (v Value) Has(name string) bool {
	return v.IsObject() && v.guard(func() goja.Value {
		return unowned(v.v.(*goja.Object).Get(name) != nil)
	}).ToBoolean()
}

// Set sets a property of an object value.
func (v Value) Set(name string, to Value) error {
	o, ok := v.v.(*goja.Object)
	if !ok {
		return fmt.Errorf("set %s: not an object", name)
	}
	if v.machine.lost != nil {
		return v.machine.lost
	}
	return o.Set(name, to.raw())
}

// Keys returns the names of an object value's own properties, in order.
func (v Value) Keys() []string {
	if o, ok := v.v.(*goja.Object); ok && v.machine.lost == nil {
		return o.Keys()
	}
	return nil
}

// Export is v as plain Go: nil, bool, int64, float64, string, map[string]any, []any.
func (v Value) Export() any {
	if v.IsObject() && v.machine.lost != nil {
		return nil
	}
	return v.raw().Export()
}

// JSON is v as JSON text, for transcripts: "undefined" when it has none.
func (v Value) JSON() string {
	if v.Undefined() {
		return "undefined"
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v.Export()); err != nil {
		return v.String()
	}
	return strings.TrimSpace(b.String())
}

// Brief is v as text for people, much like JSON: of a value that would be longer than
// limit bytes only the beginning, and of a member that the page's code would compute
// not even that. Each text in it passes conceal.
func (v Value) Brief(limit int, conceal func(string) string) string {
	w := &brevity{limit: limit, conceal: conceal, machine: v.machine}
	out := v.guard(func() goja.Value {
		w.value(v.raw(), 0)
		return unowned(w.b.String())
	})
	if !v.IsObject() {
		return w.b.String()
	}
	if goja.IsUndefined(out) {
		return omitted // it could not be looked at
	}
	return out.String()
}

// What of a value Brief leaves out.
const (
	omitted    = "…"
	briefDepth = 4
	longText   = 64 << 10 // bytes that a text may have to be looked at
)

// brevity writes a value up to a limit.
type brevity struct {
	b       strings.Builder
	limit   int
	conceal func(string) string
	machine *Machine
}

func (w *brevity) full() bool { return w.b.Len() >= w.limit }

func (w *brevity) value(v goja.Value, depth int) {
	switch v := v.(type) {
	case nil:
		w.b.WriteString("undefined")
	case *goja.Object:
		w.object(v, depth)
	case goja.String:
		w.text(v.String())
	default:
		w.b.WriteString(w.conceal(v.String()))
	}
}

// text writes a text between quotes. Nothing is cut before it is concealed, so that no
// part of a secret stays.
func (w *brevity) text(text string) {
	if len(text) > longText {
		fmt.Fprintf(&w.b, "%q", fmt.Sprintf("%s of %d bytes", omitted, len(text)))
		return
	}
	text = w.conceal(text)
	if room := max(w.limit-w.b.Len(), 0); len(text) > room {
		text = strings.ToValidUTF8(text[:room], "") + omitted
	}
	quoted, _ := json.Marshal(text) // which a text always can be
	w.b.Write(quoted)
}

func (w *brevity) object(o *goja.Object, depth int) {
	switch _, calls := goja.AssertFunction(o); {
	case calls:
		w.b.WriteString("function")
	case depth == briefDepth, w.machine.hides(o):
		w.b.WriteString(omitted)
	case o.ClassName() == "Array":
		w.b.WriteByte('[')
		n := int(o.Get("length").ToInteger())
		for i := 0; i < n && w.another(i); i++ {
			w.member(o, strconv.Itoa(i), depth)
		}
		w.b.WriteByte(']')
	case o.ClassName() == "Object":
		w.b.WriteByte('{')
		for i, name := range o.Keys() {
			if !w.another(i) {
				break
			}
			w.b.WriteString(w.conceal(name) + ": ")
			w.member(o, name, depth)
		}
		w.b.WriteByte('}')
	default: // a date, an error
		w.text(o.String())
	}
}

// another tells whether there is room for another member, the i-th.
func (w *brevity) another(i int) bool {
	if i > 0 {
		w.b.WriteString(", ")
	}
	if w.full() {
		w.b.WriteString(omitted)
	}
	return !w.full()
}

// maxHidden bounds how many objects are hidden one by one: with more, all are.
const maxHidden = 1000

// Hide keeps Brief from showing an object, and what is in it now, ever again.
func (v Value) Hide() { v.guard(func() goja.Value { v.machine.hide(v.raw()); return nil }) }

func (m *Machine) hide(v goja.Value) {
	o, ok := v.(*goja.Object)
	if !ok || m.hides(o) {
		return
	}
	if m.hidden == nil {
		m.hidden = make(map[*goja.Object]bool)
	}
	m.hidden[o] = true
	for _, name := range o.Keys() {
		if d, err := m.described(o, name); err == nil && d != nil {
			m.hide(d.Get("value"))
		}
	}
}

func (m *Machine) hides(o *goja.Object) bool { return m.hidden[o] || len(m.hidden) > maxHidden }

// member writes a member of an object, unless code computes it.
func (w *brevity) member(o *goja.Object, name string, depth int) {
	d, err := w.machine.described(o, name)
	switch {
	case err != nil || d == nil:
		w.b.WriteString("undefined")
	case d.Get("value") == nil:
		w.b.WriteString(omitted)
	default:
		w.value(d.Get("value"), depth+1)
	}
}

// described is what an object says of its own property.
func (m *Machine) described(o *goja.Object, name string) (*goja.Object, error) {
	if m.describe == nil {
		object, _ := m.engine().Get("Object").(*goja.Object)
		describe, ok := goja.AssertFunction(object.Get("getOwnPropertyDescriptor"))
		if !ok {
			return nil, errors.New("the engine describes no properties")
		}
		m.describe = describe
	}
	v, err := m.describe(goja.Undefined(), o, unowned(name))
	d, _ := v.(*goja.Object)
	return d, err
}

// Labelled is an object that converts to a text of its own.
type Labelled struct {
	Members map[string]any
	Text    string
}

// Live is a member of a map whose value is computed each time that it is read. It is
// called by whoever evaluates.
type Live func() any

// Value makes a value of plain Go: nil becomes null, a map an object, a slice an array.
func (m *Machine) Value(x any) Value {
	switch x := x.(type) {
	case Value:
		return x
	case nil:
		return Value{goja.Null(), m}
	case string, bool, int, int64, float64:
		return Value{unowned(x), m}
	case Labelled:
		v := m.Value(x.Members)
		text := m.engine().ToValue(func() string { return x.Text })
		_ = v.v.(*goja.Object).DefineDataProperty("toString", text, goja.FLAG_FALSE, goja.FLAG_FALSE, goja.FLAG_FALSE)
		return v
	case map[string]any:
		o := m.engine().NewObject()
		for k, e := range x {
			// A fresh plain object accepts every property.
			if live, ok := e.(Live); ok {
				get := m.engine().ToValue(func() goja.Value { return m.Value(live()).raw() })
				_ = o.DefineAccessorProperty(k, get, nil, goja.FLAG_TRUE, goja.FLAG_TRUE)
				continue
			}
			_ = o.Set(k, m.Value(e).raw())
		}
		return Value{o, m}
	case map[string]string:
		o := m.engine().NewObject()
		for k, e := range x {
			_ = o.Set(k, e)
		}
		return Value{o, m}
	case []any:
		items := make([]any, len(x))
		for i, e := range x {
			items[i] = m.Value(e).raw()
		}
		return Value{m.engine().NewArray(items...), m}
	}
	return Value{m.engine().ToValue(x), m}
}

// Member is a property of an object, and its value in plain Go.
type Member struct {
	Name  string
	Value any
}

// Object makes an object of the members.
func (m *Machine) Object(members ...Member) Value {
	o := m.engine().NewObject()
	m.add(o, members)
	return Value{o, m}
}

// add gives members to a fresh object, which accepts every property.
func (m *Machine) add(o *goja.Object, members []Member) {
	for _, p := range members {
		_ = o.Set(p.Name, m.Value(p.Value).raw())
	}
}

// Array makes an array of the values, which has members as well.
func (m *Machine) Array(values []Value, members ...Member) Value {
	items := make([]any, len(values))
	for i, v := range values {
		items[i] = v.raw()
	}
	list := m.engine().NewArray(items...)
	m.add(list, members)
	return Value{list, m}
}

// Each calls f with the elements of an array value until it fails.
func (v Value) Each(f func(Value) error) error {
	n := v.Get("length").Int()
	for i := range n {
		if err := f(v.Get(fmt.Sprint(i))); err != nil {
			return err
		}
	}
	return nil
}
