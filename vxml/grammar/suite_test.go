package grammar

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mcp/vxml/vxmltest"
	"mcp/vxml/xmltree"
)

// known are the cases of the suite that do not hold, each with the reason.
var known = map[string]string{
	"conformance-5.grxml":      "its note allows to ignore elements of other namespaces, as is done, and then the words within are not there",
	"lang-ruleref.gram":        "refers to grammars of the tester's own, at www.example.com",
	"lang-ruleref.grxml":       "refers to grammars of the tester's own, at www.example.com",
	"repeat-abnf-symbols.gram": `out.3 says "multiple" twice for an input that says it once`,
}

// suite finds the W3C's implementation report grammars.
func suite(t *testing.T) string {
	t.Helper()
	return filepath.Dir(vxmltest.Needed(t, vxmltest.Suites, "w3c-srgs/test/*.grxml")[0])
}

func fromFiles(dir string) Loader {
	return func(_ context.Context, uri string) (*Grammar, error) {
		data, err := os.ReadFile(filepath.Join(dir, strings.TrimPrefix(uri, "http://suite/")))
		if err != nil {
			return nil, err
		}
		return Parse(data, Defaults{URI: uri})
	}
}

// inputs are the in.N and out.N of a grammar's meta declarations.
func inputs(root *xmltree.Node) (in map[string]string, out map[string]string) {
	in, out = map[string]string{}, map[string]string{}
	for _, n := range root.Children {
		if n.Name != "meta" {
			continue
		}
		if k, ok := strings.CutPrefix(n.Attr("name"), "in."); ok {
			in[k] = n.Attr("content")
		}
		if k, ok := strings.CutPrefix(n.Attr("name"), "out."); ok {
			out[k] = n.Attr("content")
		}
	}
	return in, out
}

// TestSuite matches the inputs of every grammar of the suite and compares the
// logical parse. A grammar all of whose inputs are to be rejected may be refused.
func TestSuite(t *testing.T) {
	dir := suite(t)
	files, err := filepath.Glob(filepath.Join(dir, "*.gr*m*"))
	if err != nil || len(files) < 150 {
		t.Fatalf("%d grammars: %v", len(files), err)
	}
	passed := map[string]int{}
	total := map[string]int{}
	for _, file := range files {
		name := filepath.Base(file)
		fault := judge(vxmltest.Read(t, file), name, dir)
		ext := filepath.Ext(name)
		total[ext]++
		switch reason, excused := known[name]; {
		case fault == "" && excused:
			t.Errorf("%s holds, and is listed as failing", name)
		case fault == "":
			passed[ext]++
		case excused:
			t.Logf("%s: %s (%s)", name, fault, reason)
		default:
			t.Errorf("%s: %s", name, fault)
		}
	}
	t.Logf("XML %d of %d, ABNF %d of %d", passed[".grxml"], total[".grxml"], passed[".gram"], total[".gram"])
}

// judge says what does not hold of a grammar whose references lead to dir; empty
// when all does.
func judge(data []byte, name, dir string) string {
	uri := "http://suite/" + name
	g, err := Parse(data, Defaults{URI: uri})
	var linked *Linked
	if err == nil && !strings.Contains(string(data), "in.1") {
		return "" // without inputs it is only referred to, or only to be read
	}
	if err == nil {
		linked, err = Link(context.Background(), g, "", fromFiles(dir))
	}
	if err != nil {
		if strings.Contains(string(data), "REJECT") {
			return ""
		}
		return err.Error()
	}
	root, _, err := Read(data, uri)
	if err != nil {
		return err.Error()
	}
	in, out := inputs(root)
	for k, text := range in {
		if got, want := parses(linked, g, text, dir), absolute(out[k], uri, root); !strings.Contains(got, "\n"+want+"\n") {
			return fmt.Sprintf("%q parses as %q, want %s", text, got, want)
		}
	}
	return ""
}

// TestForeignSuite judges the grammars that another interpreter is tested with:
// those of the W3C by their inputs, the invalid ones by their being refused for
// what is wrong with them. Many of the others lack what only a document of its own
// needs, and are read as a page's.
func TestForeignSuite(t *testing.T) {
	dir := suite(t)
	judged, refused, read := 0, 0, 0
	for _, file := range vxmltest.Needed(t, vxmltest.Attacks, "srgs-jvoicexml/*.*gr*") {
		data, ext := vxmltest.Read(t, file), filepath.Ext(file)
		if ext != ".grxml" && ext != ".gram" && ext != ".srgs" {
			continue
		}
		name := file[strings.LastIndex(file, "__")+2:]
		switch {
		case strings.HasPrefix(name, "invalid"):
			refused++
			if _, err := Parse(data, Defaults{URI: name}); err == nil || !strings.Contains(err.Error(), "src") {
				t.Errorf("%s: %v", file, err)
			}
		case strings.Contains(string(data), "in.1"):
			judged++
			if fault := judge(data, name, dir); (fault == "") == (known[name] != "") {
				t.Errorf("%s: %q", file, fault)
			}
		default:
			read++
			_, err := Parse(data, Defaults{URI: name, Language: "en", Inline: true})
			_, path, _ := strings.Cut(file, "__src__test__resources__")
			if reason := unread[path]; (err == nil) == (reason != "") {
				t.Errorf("%s: %v", file, err)
			}
		}
	}
	if judged < 13 || refused < 4 || read < 14 {
		t.Errorf("%d judged, %d refused, %d read", judged, refused, read)
	}
}

// unread are grammars of that suite that are rightly refused.
var unread = map[string]string{
	"Literal2.srgs":                          "has <tag> in <one-of>",
	"custom_grammar__external__valid1.grxml": "is a page's reference to a grammar",
	"custom_grammar__external__valid2.grxml": "is a page's reference to a grammar",
}

// parses lists the logical parses by the root and by the other public rules,
// for some inputs are meant for one of them.
func parses(linked *Linked, g *Grammar, text, dir string) string {
	b := "\n"
	for _, tree := range linked.MatchAll(text, 20) {
		b += tree.String() + "\n"
	}
	for id, r := range g.rules {
		if !r.public || id == g.Root {
			continue
		}
		if other, err := Link(context.Background(), g, id, fromFiles(dir)); err == nil {
			for _, tree := range other.MatchAll(text, 20) {
				b += tree.String() + "\n"
			}
		}
	}
	if b == "\n" {
		return "\nREJECT\n"
	}
	return b
}

// absolute resolves the references in an expected parse.
func absolute(want, base string, root *xmltree.Node) string {
	parts := strings.Split(want, "$<")
	for i := range parts[1:] {
		ref, rest, _ := strings.Cut(parts[i+1], ">")
		parts[i+1] = join(base, ref) + ">" + rest
	}
	return strings.Join(parts, "$<")
}

// TestRoundTrip writes every grammar of the suite in the other form and back:
// it must still compile to the same program.
func TestRoundTrip(t *testing.T) {
	dir := suite(t)
	files, err := filepath.Glob(filepath.Join(dir, "*.gr*m*"))
	if err != nil {
		t.Fatal(err)
	}
	done := 0
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		root, _, err := Read(data, "u")
		if err != nil {
			continue
		}
		first, err := Compile(root, Defaults{URI: "u"})
		if err != nil {
			continue
		}
		text, err := FormatABNF(root)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		again, err := ParseABNF([]byte(text), "u")
		if err != nil {
			t.Errorf("%s: %v in\n%s", file, err, text)
			continue
		}
		second, err := Parse([]byte(xmltree.Write(again)), Defaults{URI: "u"})
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if a, b := listing(first), listing(second); a != b {
			t.Errorf("%s: from\n%s\nto\n%s\nby\n%s", file, a, b, text)
		}
		done++
	}
	if done < 180 {
		t.Errorf("only %d grammars made the trip", done)
	}
}

// listing writes a grammar's programs without their lines.
func listing(g *Grammar) string {
	var b strings.Builder
	fmt.Fprintln(&b, g.Mode, g.Language, g.Root, g.TagFormat, g.Header, g.externals)
	for _, id := range slices.Sorted(maps.Keys(g.rules)) {
		r := g.rules[id]
		fmt.Fprintln(&b, id, r.public)
		for _, in := range r.code {
			fmt.Fprintln(&b, "\t", in.op, in.text, in.rule, in.show, in.to)
		}
	}
	return b.String()
}
