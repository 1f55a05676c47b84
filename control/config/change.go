package config

import (
	"fmt"
	"reflect"
)

// Change is a key that differs between two configurations.
type Change struct {
	Key      string
	From, To string // as YAML writes them in a line; of secrets, asterisks
	// Live tells that the key takes effect while the platform runs (the tag
	// live:"true"); others do at its next start.
	Live bool
}

// hidden stands for values with the tag secret:"true".
const hidden = "***"

// Changes are the keys that differ, in the order of the fields. from and to point to
// structs of one type.
func Changes(from, to any) ([]Change, error) {
	old, err := rootOf(from)
	if err != nil {
		return nil, err
	}
	now, err := rootOf(to)
	if err != nil {
		return nil, err
	}
	if old.value.Type() != now.value.Type() {
		return nil, fmt.Errorf("%s and %s are no two of a kind", old.value.Type(), now.value.Type())
	}
	var out []Change
	others := now.descendants()
	for i, n := range old.descendants() {
		if n.isSection() || reflect.DeepEqual(n.value.Interface(), others[i].value.Interface()) {
			continue
		}
		out = append(out, Change{Key: n.path, From: n.line(), To: others[i].line(), Live: n.live})
	}
	return out, nil
}

// line is a leaf's value in one line.
func (n node) line() string {
	if n.secret {
		return hidden
	}
	if k := n.value.Kind(); (k == reflect.Map || k == reflect.Slice) && !isText(n.value.Type()) {
		if isSection(n.value.Type().Elem()) {
			return fmt.Sprintf("%d of them", n.value.Len()) // which may hold secrets
		}
		return fmt.Sprint(n.value.Interface())
	}
	text, err := textOf(n.value)
	if err != nil {
		return err.Error()
	}
	return text
}
