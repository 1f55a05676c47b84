package reporting

import (
	_ "embed"
	"slices"
)

//go:embed schema.json
var schemaJSON []byte

// JSONSchema is the JSON Schema of the records of all kinds (draft 2020-12).
func JSONSchema() []byte { return slices.Clone(schemaJSON) }
