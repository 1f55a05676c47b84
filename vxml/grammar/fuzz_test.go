package grammar

import (
	"context"
	"errors"
	"testing"

	"mcp/vxml/vxmltest"
)

// seed adds the suites' grammars of one form, each with an input it is made for.
func seed(f *testing.F, patterns ...string) {
	f.Helper()
	for _, pattern := range patterns {
		files := vxmltest.Files(f, vxmltest.Suites, "w3c-srgs/test/"+pattern)
		for _, name := range append(files, vxmltest.Files(f, vxmltest.Attacks, "srgs-jvoicexml/"+pattern)...) {
			data := vxmltest.Read(f, name)
			said := "1 2"
			if root, _, err := Read(data, "u"); err == nil {
				in, _ := inputs(root)
				said = in["1"]
			}
			f.Add(data, said)
		}
	}
}

func nowhere(context.Context, string) (*Grammar, error) { return nil, errors.New("no other grammars") }

// FuzzParse reads any grammar in XML form and matches any text with it.
func FuzzParse(f *testing.F) {
	f.Add([]byte(wrap(`<rule id="r"><item repeat="0-2">a</item><ruleref special="GARBAGE"/></rule>`, "")), "a b")
	f.Add([]byte(wrap(`<rule id="r"><one-of><item>1</item><item>2<ruleref uri="#r"/></item></one-of></rule>`, `mode="dtmf"`)), "221")
	seed(f, "*.grxml", "*.srgs")
	f.Fuzz(func(t *testing.T, source []byte, text string) {
		vxmltest.Within(t, func() {
			g, err := Parse(source, Defaults{URI: "u"})
			if err != nil {
				return
			}
			l, err := Link(context.Background(), g, "", nowhere)
			if err == nil && len(text) < 40 {
				l.Match(text)
			}
		})
	})
}

// FuzzABNF reads any grammar in ABNF form: written in the other form it compiles
// to the same program.
func FuzzABNF(f *testing.F) {
	f.Add([]byte("#ABNF 1.0;\nmode dtmf;\nroot $r;\n$r = (1 | 2 {t} /* c */ | [3])<0-2 /.5/>;\n"), "1 2")
	f.Add([]byte("#ABNF 1.0 UTF-8;\nlanguage en;\n{!{ x }!};\npublic $r = /2/ \"a b\"!en $r | $GARBAGE c $<u#r>~<application/srgs>;\n"), "a b c")
	f.Add([]byte("#ABNF 1.0;\nlanguage \f;$0=();"), "0")
	seed(f, "*.gram")
	f.Fuzz(func(t *testing.T, source []byte, text string) {
		vxmltest.Within(t, func() { roundTrip(t, source, text) })
	})
}

func roundTrip(t *testing.T, source []byte, text string) {
	root, err := ParseABNF(source, "u")
	if err != nil {
		return
	}
	g, err := Compile(root, Defaults{URI: "u"})
	if err != nil {
		return
	}
	written, err := FormatABNF(root)
	if err != nil {
		return
	}
	again, err := Parse([]byte(written), Defaults{URI: "u"})
	if err != nil || listing(g) != listing(again) {
		t.Errorf("written as %s: %v", written, err)
	}
	l, err := Link(context.Background(), g, "", nowhere)
	if err == nil && len(text) < 40 {
		l.MatchAll(text, 3)
	}
}
