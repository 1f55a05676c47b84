// Package headertest makes up headers of a message, for tests of those who read them.
package headertest

import "mcp/control/sip/header"

// Fields makes headers of names and values in turn.
func Fields(namesAndValues ...string) header.Fields {
	var fields header.Fields
	for i := 0; i+1 < len(namesAndValues); i += 2 {
		fields = append(fields, field{namesAndValues[i], namesAndValues[i+1]})
	}
	return fields
}

type field struct{ name, value string }

func (f field) Name() string  { return f.name }
func (f field) Value() string { return f.value }
