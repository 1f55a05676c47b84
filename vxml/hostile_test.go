package vxml_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"mcp/vxml/doc"
	"mcp/vxml/dom"
	"mcp/vxml/grammar"
	"mcp/vxml/vxmltest"
	"mcp/vxml/xmltree"
)

// full repeats a piece until a document with it is as large as one may be.
func full(head, piece, tail string) string {
	return head + strings.Repeat(piece, (xmltree.MaxSize-len(head)-len(tail))/len(piece)) + tail
}

// Documents made to cost their readers dear, each as large as a document may be.
func TestHostileDocuments(t *testing.T) {
	const head, tail = `<vxml version="2.1" xmlns="http://www.w3.org/2001/vxml">`, `</vxml>`
	const menu, form = head + `<menu>`, head + `<form>`
	words := strings.Repeat("a ", 10000)
	laughs := `<!DOCTYPE v [<!ENTITY a "ha">`
	for c := 'b'; c < 'z'; c++ {
		laughs += fmt.Sprintf(`<!ENTITY %c "%s">`, c, strings.Repeat(fmt.Sprintf("&%c;", c-1), 10))
	}
	pages := map[string]string{
		"a billion laughs":         laughs + `]><vxml version="2.1">&y;</vxml>`,
		"depth":                    full(head, `<form>`, ``),
		"ifs within ifs":           form + `<block>` + strings.Repeat(`<if cond="a">`, 240) + strings.Repeat(`</if>`, 240) + `</block></form>` + tail,
		"forms":                    full(head, `<form/>`, tail),
		"blocks":                   full(form, `<block/>`, `</form>`+tail),
		"unknown elements":         full(form, `<x/>`, `</form>`+tail),
		"unknown attributes":       full(form, `<block q="1"/>`, `</form>`+tail),
		"one name for all":         full(form, `<block name="a"/>`, `</form>`+tail),
		"attributes of an element": full(head+`<form `, `a="" `, `/>`+tail),
		"choices":                  full(menu, `<choice dtmf="1" next="#a">a</choice>`, `</menu>`+tail),
		"approximate choices":      full(head+`<menu accept="approximate">`, `<choice next="#a">a b c d e f g h i j k l m n o p q r</choice>`, `</menu>`+tail),
		"one long choice":          head + `<menu accept="approximate"><choice next="#a">` + words + `</choice></menu>` + tail,
		"options":                  full(form+`<field name="f">`, `<option dtmf="1" value="v">a</option>`, `</field></form>`+tail),
		"builtin fields":           full(form, `<field type="digits"/>`, `</form>`+tail),
		"inline grammars":          full(form+`<field name="f">`, `<grammar root="r"><rule id="r">a</rule></grammar>`, `</field></form>`+tail),
		"links":                    full(head, `<link dtmf="1" event="e"/>`, tail),
		"properties":               full(head, `<property name="a" value="b"/>`, tail),
		"handlers of many events":  head + `<catch event="` + full("", "a.b ", "")[:1<<19] + `"/>` + tail,
		"filled of many names":     form + `<filled namelist="` + full("", "a ", "")[:1<<19] + `"/></form>` + tail,
		"text":                     full(form+`<block>`, `a &amp; `, `</block></form>`+tail),
		"values":                   full(form+`<block>`, `<value expr="1"/>`, `</block></form>`+tail),
		"namespaces":               full(head+`<form `, `xmlns:a="b" `, `/>`+tail),
		"comments":                 full(head, `<!---->`, tail),
		"references":               full(form+`<block>`, `&#65;`, `</block></form>`+tail),
	}
	for name, text := range pages {
		t.Run(name, func(t *testing.T) {
			vxmltest.Within(t, func() { _, _ = doc.Compile([]byte(text), "http://site/a.vxml") })
			vxmltest.Within(t, func() { _, _ = dom.Parse([]byte(text)) })
		})
	}
}

// Grammars made to cost dear, and what is said to them.
func TestHostileGrammars(t *testing.T) {
	xml := func(rules string) string {
		return `<grammar xmlns="http://www.w3.org/2001/06/grammar" version="1.0" mode="voice" xml:lang="en" root="r">` + rules + `</grammar>`
	}
	abnf := func(rules string) string { return "#ABNF 1.0;\nlanguage en;\nroot $r;\n" + rules }
	rules := func(form string) string {
		var b strings.Builder
		for i := range 2000 {
			fmt.Fprintf(&b, form, i, i+1, i+1)
		}
		return b.String()
	}
	said := strings.Repeat("a ", 60)
	grammars := map[string]string{
		"repeats within repeats":  xml(`<rule id="r">` + strings.Repeat(`<item repeat="0-1000">`, 100) + `a` + strings.Repeat(`</item>`, 100) + `</rule>`),
		"a huge repeat":           xml(`<rule id="r"><item repeat="1000000000">a</item></rule>`),
		"endless repeats":         xml(`<rule id="r"><item repeat="0-"><item repeat="0-"><item repeat="0-">a</item></item></item></rule>`),
		"alternatives alike":      xml(`<rule id="r"><item repeat="1-">` + strings.Repeat(`<one-of><item>a</item><item>a</item></one-of>`, 100) + `</item></rule>`),
		"rules that double":       xml(rules(`<rule id="r%d"><ruleref uri="#r%d"/><ruleref uri="#r%d"/></rule>`) + `<rule id="r"><ruleref uri="#r0"/></rule><rule id="r2000">a</rule>`),
		"choices that double":     xml(rules(`<rule id="r%d"><one-of><item><ruleref uri="#r%d"/></item><item><ruleref uri="#r%d"/></item></one-of></rule>`) + `<rule id="r"><ruleref uri="#r0"/></rule><rule id="r2000">a</rule>`),
		"left recursion":          xml(`<rule id="r"><one-of><item><ruleref uri="#r"/>a</item><item>a</item></one-of></rule>`),
		"recursion on both sides": xml(`<rule id="r"><one-of><item><ruleref uri="#r"/><ruleref uri="#r"/></item><item>a</item></one-of></rule>`),
		"garbage":                 xml(`<rule id="r">` + strings.Repeat(`<ruleref special="GARBAGE"/>`, 1000) + `b</rule>`),
		"items":                   full(xml("")[:len(xml(""))-len("</grammar>")]+`<rule id="r"><one-of>`, `<item>a</item>`, `</one-of></rule></grammar>`),
		"one token":               xml(`<rule id="r">` + strings.Repeat("a", 1<<19) + `</rule>`),
		"tags":                    full(xml("")[:len(xml(""))-len("</grammar>")]+`<rule id="r">`, `<tag>a</tag>`, `</rule></grammar>`),
		"depth":                   xml(`<rule id="r">` + strings.Repeat(`<item>`, 100000)),
		"ABNF: brackets":          abnf("$r = " + strings.Repeat("(", 1<<19) + ";"),
		"ABNF: options":           abnf("$r = " + strings.Repeat("[", 200) + "a" + strings.Repeat("]", 200) + ";"),
		"ABNF: alternatives":      abnf("$r = " + strings.Repeat("a | ", 1<<18) + "a;"),
		"ABNF: repeats":           abnf("$r = " + strings.Repeat("(", 100) + "a" + strings.Repeat("<0-1000>)", 100) + ";"),
		"ABNF: comments":          abnf(strings.Repeat("/**/", 1<<18) + "$r = a;"),
		"ABNF: a quote":           abnf(`$r = "` + strings.Repeat("a", 1<<19)),
		"ABNF: rules":             abnf(strings.Repeat("$r = a;\n", 1<<16)),
	}
	nowhere := func(context.Context, string) (*grammar.Grammar, error) { return nil, errors.New("no other grammars") }
	for name, text := range grammars {
		t.Run(name, func(t *testing.T) {
			var linked *grammar.Linked
			vxmltest.Within(t, func() {
				root, _, err := grammar.Read([]byte(text), "u")
				if err != nil {
					return
				}
				g, err := grammar.Compile(root, grammar.Defaults{URI: "u"})
				if err == nil {
					linked, err = grammar.Link(t.Context(), g, "", nowhere)
				}
				if err != nil {
					linked = nil
				}
			})
			if linked != nil {
				vxmltest.Within(t, func() { linked.Match(said) })
				vxmltest.Within(t, func() { linked.MatchAll(said+"b", 5) })
			}
		})
	}
}
