package reporting

import (
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write schema.json and SCHEMA.md anew")

// published are the kinds of record as they are published, with an example each.
func published(t *testing.T) []publishedKind {
	r := full(t)
	head := r.Head
	head.Component = "mcp-0"
	r.Head = head
	r.Application = "http://web/app.vxml"
	r.End.Reasons = []Reason{{Protocol: "Q.850", Cause: 16, Text: "Normal call clearing"}}
	r.Media[0].Received.MOS, r.Media[0].Received.SSRC = 4.3, 3735928559
	r.Dialogue.Latency = &Latency{FirstPrompt: 120.5, Response: &Spread{Median: 85, P95: 140, P99: 140, Most: 140}}
	r.Media[0].Sent.Heard = &Heard{Loss: 0.001, Jitter: 1.5, RoundTrip: 22, MOS: 4.2}
	call, err := Encode(r)
	if err != nil {
		t.Fatal(err)
	}
	event := Event{
		Head: head, Call: r.ID, At: r.StartedAt.Add(4 * time.Second).UTC(), Offset: 4000, Sequence: 3,
		Name: "com.genesyslab.var.CallResult", Text: "sale",
	}
	event.Kind, event.ID, event.Application = KindCustom, "01890a5d-bc36-7a1e-9d0c-5f6e7a8b9c0d", r.Application
	step := event
	step.Kind, step.ID, step.Sequence, step.Name, step.Text = KindTrace, "01890a5d-bc37-7b2f-8e1d-6a7f8b9c0d1e", 4, "filled_enter", "city = \"Ghent\""
	y := newTally(r.StartedAt.Truncate(time.Minute))
	y.begin(r)
	y.end(r)
	o := y.report(r.StartedAt.Truncate(time.Minute).Add(5 * time.Minute))[0]
	o.ID, o.Component = "01890a62-4136-7c3a-a24b-1d2e3f4a5b6c", "mcp-0"
	return []publishedKind{
		{"call", "A call, at its end. Every call that was taken up leaves one.", reflect.TypeFor[Record](), call},
		{"custom", "What an application logs under a label (`<log label>`), when it does.", reflect.TypeFor[Event](), encoded(t, event)},
		{"trace", "A step of a call, with `reporting.trace`, by the name it has in the product's call logs.", reflect.TypeFor[Event](), encoded(t, step)},
		{"operations", "An interval's calls, for each application of each tenant that had any.", reflect.TypeFor[Operations](), encoded(t, o)},
	}
}

type publishedKind struct {
	kind, doc string
	is        reflect.Type
	example   []byte
}

func encoded(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestPublishedSchemaIsThatOfTheRecords compares the published files with what
// the types and their comments say. With -update it writes them.
func TestPublishedSchemaIsThatOfTheRecords(t *testing.T) {
	g := &generator{words: readWords(t), defs: map[string]any{}}
	kinds := published(t)
	for name, want := range map[string][]byte{"schema.json": g.schema(t, kinds), "SCHEMA.md": g.reference(t, kinds)} {
		if *update {
			if err := os.WriteFile(name, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what the records are: go test ./control/reporting -update (%v)", name, err)
		}
	}
	if !*update && !bytes.Equal(JSONSchema(), g.schema(t, kinds)) {
		t.Error("the schema built in is another one")
	}
}

func TestExamplesAreReadWithoutLoss(t *testing.T) {
	for _, k := range published(t) {
		into := reflect.New(k.is).Interface()
		d := json.NewDecoder(bytes.NewReader(k.example))
		d.DisallowUnknownFields()
		if err := d.Decode(into); err != nil {
			t.Errorf("%s: %v", k.kind, err)
		}
		if again := encoded(t, into); !bytes.Equal(again, k.example) {
			t.Errorf("%s: read and written as\n%s\nnot\n%s", k.kind, again, k.example)
		}
	}
}

// words are the comments of the package: of types, of fields ("Type.Field") and
// of constants, which are listed by their type.
type words struct {
	docs   map[string]string
	values map[string][]constant
}

type constant struct{ value, doc string }

func readWords(t *testing.T) words {
	t.Helper()
	w := words{docs: map[string]string{}, values: map[string][]constant{}}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.TypeSpec:
				w.fields(n)
			case *ast.ValueSpec:
				w.constants(n)
			}
			return true
		})
	}
	return w
}

func (w words) fields(spec *ast.TypeSpec) {
	s, ok := spec.Type.(*ast.StructType)
	if !ok {
		return
	}
	for _, f := range s.Fields.List {
		for _, name := range f.Names {
			w.docs[spec.Name.Name+"."+name.Name] = sentence(f.Doc, f.Comment)
		}
	}
}

func (w words) constants(spec *ast.ValueSpec) {
	kind, ok := spec.Type.(*ast.Ident)
	if !ok || len(spec.Values) != 1 {
		return
	}
	lit, ok := spec.Values[0].(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return
	}
	value, err := strconv.Unquote(lit.Value)
	if err == nil {
		w.values[kind.Name] = append(w.values[kind.Name], constant{value, sentence(spec.Comment)})
	}
}

// sentence joins comments into one line.
func sentence(groups ...*ast.CommentGroup) string {
	var parts []string
	for _, g := range groups {
		if g != nil {
			parts = append(parts, strings.Fields(g.Text())...)
		}
	}
	return strings.Join(parts, " ")
}

// generator makes what is published.
type generator struct {
	words words
	defs  map[string]any
}

// field is one of a record's, with those of embedded structs.
type field struct {
	name     string
	doc      string
	required bool
	is       reflect.Type
}

func (g *generator) fields(t reflect.Type) (out []field) {
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			out = append(out, g.fields(f.Type)...)
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.IsExported() && name != "-" {
			out = append(out, field{name, g.words.docs[t.Name()+"."+f.Name], !strings.Contains(options, "omitempty"), f.Type})
		}
	}
	return out
}

func (g *generator) schema(t *testing.T, kinds []publishedKind) []byte {
	var all []any
	for _, k := range kinds {
		o := g.object(k.is)
		o["description"] = k.doc
		o["properties"].(map[string]any)["kind"] = map[string]any{"const": k.kind}
		o["examples"] = []json.RawMessage{k.example}
		all = append(all, o)
	}
	b, err := json.MarshalIndent(map[string]any{
		"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": fmt.Sprintf("urn:mcp:records:%d", Schema),
		"title": "Records of the media control platform", "oneOf": all, "$defs": g.defs,
	}, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(b, '\n')
}

func (g *generator) object(t reflect.Type) map[string]any {
	properties, required := map[string]any{}, []string{}
	for _, f := range g.fields(t) {
		p := g.of(f.is)
		if f.doc != "" {
			p["description"] = f.doc
		}
		properties[f.name] = p
		if f.required {
			required = append(required, f.name)
		}
	}
	return map[string]any{"type": "object", "properties": properties, "required": required}
}

func (g *generator) of(t reflect.Type) map[string]any {
	if t == reflect.TypeFor[time.Time]() {
		return map[string]any{"type": "string", "format": "date-time"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return g.of(t.Elem())
	case reflect.Slice:
		return map[string]any{"type": "array", "items": g.of(t.Elem())}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": g.of(t.Elem())}
	case reflect.Struct:
		if g.defs[t.Name()] == nil {
			g.defs[t.Name()] = g.object(t)
		}
		return map[string]any{"$ref": "#/$defs/" + t.Name()}
	case reflect.String:
		p := map[string]any{"type": "string"}
		if values := g.words.values[t.Name()]; t.Name() != "string" && len(values) > 0 {
			var names []string
			for _, v := range values {
				names = append(names, v.value)
			}
			p["enum"] = names
		}
		return p
	case reflect.Float64:
		return map[string]any{"type": "number"}
	}
	return map[string]any{"type": "integer"}
}

func (g *generator) reference(t *testing.T, kinds []publishedKind) []byte {
	var out strings.Builder
	fmt.Fprintf(&out, `# Records, schema %d

Made from the types of this package by its tests (`+"`go test ./control/reporting -update`"+`);
`+"`mcp cdr schema`"+` prints the JSON Schema. Every record is one JSON object. Wall-clock times
are RFC 3339 in UTC; durations are whole milliseconds on the monotonic clock. The version
grows when a field is renamed, removed or changes its meaning; fields may be added
without. A record that comes twice has the same id.

At a broker a record is a persistent text message with these headers and properties, each
only where there is something to say:

| Header or property | Holds |
|---|---|
| JMSType | kind |
| JMSCorrelationID | id of the call |
| schema (int), kind, recordId, component, tenant, profile, application | as in the record |
| sessionId | session |
| callId | id of the call |
| label | name of an event |
| dnis, ani, cause, endedBy | of a call |
| startedAt, endedAt (long) | of a call, milliseconds since 1970 |

A selector such as `+"`kind = 'call' AND tenant = '1.101' AND cause <> 'hang-up'`"+` reads no text.
`, Schema)
	for _, k := range kinds {
		fmt.Fprintf(&out, "\n## %s\n\n%s\n\n| Field | Type | Meaning |\n|---|---|---|\n", k.kind, k.doc)
		g.rows(&out, "", k.is)
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, k.example, "", "  "); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&out, "\n```json\n%s\n```\n", pretty.String())
	}
	for _, name := range slices.Sorted(maps.Keys(g.words.values)) {
		if name == "Kind" {
			continue
		}
		fmt.Fprintf(&out, "\n## Values of %s\n\n| Value | Meaning |\n|---|---|\n", strings.ToLower(name))
		for _, v := range g.words.values[name] {
			fmt.Fprintf(&out, "| %s | %s |\n", v.value, cmp.Or(v.doc, "-"))
		}
	}
	return []byte(out.String())
}

// rows lists fields, those of inner objects by their path.
func (g *generator) rows(out *strings.Builder, prefix string, t reflect.Type) {
	for _, f := range g.fields(t) {
		is, name := f.is, prefix+f.name
		for is.Kind() == reflect.Pointer || is.Kind() == reflect.Slice {
			if is.Kind() == reflect.Slice {
				name += "[]"
			}
			is = is.Elem()
		}
		if is.Kind() == reflect.Struct && is != reflect.TypeFor[time.Time]() {
			g.rows(out, name+".", is)
			continue
		}
		optional := "optional "
		if f.required {
			optional = ""
		}
		fmt.Fprintf(out, "| %s | %s%s | %s |\n", name, optional, typeName(is), strings.ReplaceAll(f.doc, "|", "\\|"))
	}
}

func typeName(t reflect.Type) string {
	if t == reflect.TypeFor[time.Time]() {
		return "time"
	}
	switch t.Kind() {
	case reflect.Map:
		return "object"
	case reflect.String:
		return "string"
	case reflect.Float64:
		return "number"
	}
	return "integer"
}
