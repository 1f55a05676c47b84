package conformance

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"mcp/vxml/fetch"
	"mcp/vxml/grammar"
	"mcp/vxml/xmltree"
)

// srgsReport is the W3C's list of features, one a grammar, which lie in the
// folder test beside it.
type srgsReport struct {
	XMLName  xml.Name `xml:"system-report"`
	Features []struct {
		ID string `xml:"id,attr"`
	} `xml:"feature"`
}

// RunSRGS runs the grammars that a report of the W3C's lists: what they are to
// be given and what must come of it is in their meta declarations.
func RunSRGS(ctx context.Context, report string) ([]Row, error) {
	text, err := os.ReadFile(report)
	if err != nil {
		return nil, fmt.Errorf("read report: %w", err)
	}
	var list srgsReport
	if err := xml.Unmarshal([]byte(strings.Replace(string(text), `encoding="ISO-8859-1"`, "", 1)), &list); err != nil {
		return nil, fmt.Errorf("read report %s: %w", report, err)
	}
	known, err := readNotes()
	if err != nil {
		return nil, err
	}
	suite := suiteName(filepath.Dir(report))
	s := &srgs{os.DirFS(filepath.Join(filepath.Dir(report), "test"))}
	var rows []Row
	for _, f := range list.Features {
		row := Row{Suite: suite, ID: f.ID, Section: strings.TrimSpace("SRGS 1.0 " + known.section(suite, f.ID)), Outcome: Passed}
		if n := known.about(suite, f.ID); n.Excluded != "" {
			row.Outcome, row.Reason = Excluded, n.Excluded
		} else if err := s.judge(ctx, f.ID); err != nil {
			row.Outcome, row.Reason = Failed, err.Error()
		}
		rows = append(rows, row)
	}
	return rows, ctx.Err()
}

// srgs is the folder of the grammars.
type srgs struct{ files fs.FS }

func (s *srgs) load(_ context.Context, uri string) (*grammar.Grammar, error) {
	data, err := fs.ReadFile(s.files, strings.TrimPrefix(uri, site))
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", uri, err)
	}
	return grammar.Parse(data, grammar.Defaults{URI: uri})
}

// judge says what does not hold of a grammar. One whose inputs are all to be
// rejected may be refused.
func (s *srgs) judge(ctx context.Context, name string) error {
	data, err := fs.ReadFile(s.files, name)
	if err != nil {
		return fmt.Errorf("read grammar: %w", err)
	}
	uri := site + name
	root, _, err := grammar.Read(data, uri)
	if err != nil {
		return refused(data, err)
	}
	g, err := grammar.Compile(root, grammar.Defaults{URI: uri})
	if err != nil {
		return refused(data, err)
	}
	tests := inputs(root)
	if len(tests) == 0 {
		return nil // it is only to be read
	}
	rules, err := s.rules(ctx, g, root)
	if err != nil {
		return refused(data, err)
	}
	for in, want := range tests {
		got := parses(rules, in)
		if want = absolute(want, uri); !slices.Contains(got, want) {
			return fmt.Errorf("%q parses as %q, not as %s", in, got, want)
		}
	}
	return nil
}

func refused(data []byte, err error) error {
	if strings.Contains(string(data), "REJECT") {
		return nil
	}
	return err
}

// rules links the root and the other public rules: some inputs are meant for one
// of those.
func (s *srgs) rules(ctx context.Context, g *grammar.Grammar, root *xmltree.Node) ([]*grammar.Linked, error) {
	first, err := grammar.Link(ctx, g, "", s.load)
	if err != nil {
		return nil, err
	}
	out := []*grammar.Linked{first}
	for _, n := range root.Elements() {
		if n.Name != "rule" || n.Attr("scope") != "public" {
			continue
		}
		if linked, err := grammar.Link(ctx, g, n.Attr("id"), s.load); err == nil {
			out = append(out, linked)
		}
	}
	return out, nil
}

// readings bounds the parses of an ambiguous input that are looked at.
const readings = 20

func parses(rules []*grammar.Linked, in string) []string {
	var out []string
	for _, r := range rules {
		for _, tree := range r.MatchAll(in, readings) {
			out = append(out, tree.String())
		}
	}
	if len(out) == 0 {
		return []string{"REJECT"}
	}
	return out
}

// inputs are the in.N of a grammar with their out.N.
func inputs(root *xmltree.Node) map[string]string {
	meta := make(map[string]string)
	for _, n := range root.Elements() {
		if n.Name == "meta" {
			meta[n.Attr("name")] = n.Attr("content")
		}
	}
	out := make(map[string]string)
	for name, content := range meta {
		if number, ok := strings.CutPrefix(name, "in."); ok {
			out[content] = meta["out."+number]
		}
	}
	return out
}

// absolute resolves the references to other grammars in an expected parse.
func absolute(want, base string) string {
	parts := strings.Split(want, "$<")
	for i, part := range parts[1:] {
		ref, rest, _ := strings.Cut(part, ">")
		abs, fragment, err := fetch.Resolve(base, ref)
		if err != nil {
			continue
		}
		if fragment != "" {
			abs += "#" + fragment
		}
		parts[i+1] = abs + ">" + rest
	}
	return strings.Join(parts, "$<")
}

// errNeither is a file that is no suite.
var errNeither = errors.New("neither a manifest (.json) nor a report of the W3C's (.xml)")

// RunAny runs a suite of either kind.
func RunAny(ctx context.Context, file string) ([]Row, error) {
	switch filepath.Ext(file) {
	case ".json":
		return Run(ctx, file)
	case ".xml":
		return RunSRGS(ctx, file)
	}
	return nil, fmt.Errorf("%s: %w", file, errNeither)
}
