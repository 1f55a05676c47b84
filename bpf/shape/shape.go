// Package shape describes how maps are laid out, as text that is kept beside them
// and compared. The kernel keeps the same in BTF, but tells it by an object's id
// only, and that takes CAP_SYS_ADMIN.
package shape

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
)

// separator stands between the fields of a description.
const separator = "; "

// maxShown is how many differences are worth telling.
const maxShown = 5

// Of describes a map's type, key and value: every field with its place and type.
// How many entries the map has is not told, because that is chosen at load.
func Of(m *ebpf.MapSpec) (string, error) {
	d := describer{}
	d.add("%s of %d to %d octets, flags %d", m.Type, m.KeySize, m.ValueSize, m.Flags)
	if err := errors.Join(d.top("key", m.Key), d.top("value", m.Value)); err != nil {
		return "", fmt.Errorf("describe map %s: %w", m.Name, err)
	}
	return strings.Join(d, separator), nil
}

// Diff says in which fields two descriptions differ; empty: in none. A field that was
// reserved, and has a use by now, is no difference: zero means that there is none of it.
func Diff(pinned, wanted string) string {
	was, is := strings.Split(pinned, separator), strings.Split(wanted, separator)
	for i, field := range was {
		was[i] = use(field, is)
	}
	var lines []string
	for _, field := range was {
		if !slices.Contains(is, field) {
			lines = append(lines, "pinned has "+field)
		}
	}
	for _, field := range is {
		if !slices.Contains(was, field) {
			lines = append(lines, "this program has "+field)
		}
	}
	if more := len(lines) - maxShown; more > 0 {
		lines = append(lines[:maxShown], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(lines, separator)
}

// use is a field's present description, if it was reserved.
func use(field string, is []string) string {
	name, place, _ := strings.Cut(field, " at ")
	parent := name[:strings.LastIndex(name, ".")+1]
	if !strings.HasPrefix(name[len(parent):], "reserved") {
		return field
	}
	for _, other := range is {
		if at, found := strings.CutSuffix(other, " at "+place); found && strings.LastIndex(at, ".")+1 == len(parent) && strings.HasPrefix(at, parent) {
			return other
		}
	}
	return field
}

type describer []string

func (d *describer) add(format string, args ...any) {
	*d = append(*d, fmt.Sprintf(format, args...))
}

func (d *describer) top(name string, t btf.Type) error {
	if t == nil {
		return nil
	}
	return d.field(name, 0, t)
}

// field describes what is at an offset: a struct by its members, all else by one line.
func (d *describer) field(name string, offset uint32, t btf.Type) error {
	switch u := btf.UnderlyingType(t).(type) {
	case *btf.Struct:
		return d.members(name, offset, u)
	case *btf.Enum:
		d.enum(name, offset, u)
		return nil
	default:
		text, err := typeName(u)
		d.add("%s at %d: %s", name, offset, text)
		return err
	}
}

func (d *describer) members(name string, offset uint32, s *btf.Struct) error {
	for _, m := range s.Members {
		if err := d.field(name+"."+m.Name, offset+m.Offset.Bytes(), m.Type); err != nil {
			return err
		}
	}
	return nil
}

// enum tells the values, too: a number that means something else is a change.
func (d *describer) enum(name string, offset uint32, e *btf.Enum) {
	d.add("%s at %d: %s", name, offset, enumName(e))
	for _, v := range e.Values {
		d.add("%s is %s for %d", name, v.Name, v.Value)
	}
}

func typeName(t btf.Type) (string, error) {
	switch u := btf.UnderlyingType(t).(type) {
	case *btf.Int:
		return intName(u), nil
	case *btf.Enum:
		return enumName(u), nil
	case *btf.Array:
		of, err := elementName(u.Type)
		return fmt.Sprintf("%s[%d]", of, u.Nelems), err
	default:
		return "", fmt.Errorf("type %s has no place in a map", t)
	}
}

func elementName(t btf.Type) (string, error) {
	if _, ok := btf.UnderlyingType(t).(*btf.Struct); !ok {
		return typeName(t)
	}
	var d describer
	err := d.field("", 0, t)
	return "{" + strings.Join(d, ", ") + "}", err
}

func intName(i *btf.Int) string {
	kind := "u"
	switch i.Encoding {
	case btf.Signed:
		kind = "s"
	case btf.Char:
		kind = "char"
	case btf.Bool:
		kind = "bool"
	}
	return fmt.Sprintf("%s%d", kind, 8*i.Size)
}

func enumName(e *btf.Enum) string {
	return fmt.Sprintf("enum%d %s", 8*e.Size, e.Name)
}
