package check_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mcp/vxml/check"
	"mcp/vxml/fetch"
)

func TestRun(t *testing.T) {
	page := func(body string) string {
		return `<vxml version="2.1" xmlns="http://www.w3.org/2001/vxml">` + "\n" + body + "</vxml>"
	}
	files := map[string]string{
		"start.vxml": page(`<form><block><goto next="b.vxml#two"/></block></form>`),
		"b.vxml": page(`<link next="gone.vxml"><grammar src="bad.grxml" type="application/srgs+xml"/></link>` + "\n" +
			`<form id="one"><block cond="1 +"><script src="bad.js"/><goto next="#three"/></block></form>` + "\n" +
			`<form id="two"><block><audio src="silence.wav">x</audio><script>var a = ;</script></block></form>` + "\n" +
			`<form><subdialog src="c.vxml"/><block><submit next="posted" method="post"/></block></form>` + "\n" +
			`<form><field name="a" type="digts"/><field name="b" type="digits?length=3"><grammar src="builtin:dtmf/boolean?y=1;n=1"/>` +
			`<filled><goto nextitem="a"/><goto nextitem="q"/></filled></field></form>`),
		"c.vxml":    page(`<form><blok/><block><assign name="x"/><submit next="start.vxml" method="put"/><prompt bargein="maybe">x</prompt></block></form>`),
		"bad.grxml": `<grammar xmlns="http://www.w3.org/2001/06/grammar" version="1.0" root="none"/>`,
		"bad.js":    `function (`,
	}
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	report, err := check.Platform{Fetcher: fetch.New(fetch.Config{})}.Run(t.Context(), filepath.Join(dir, "start.vxml"))
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, p := range report.Problems {
		all = append(all, strings.ReplaceAll(p.Error(), "file://"+dir+"/", ""))
	}
	text := strings.Join(all, "\n")
	for _, want := range []string{
		"b.vxml:2: <link>: fetch gone.vxml", "bad.grxml", `b.vxml:3: <block>: cond="1 +" is no expression of ECMAScript: it ends too early`, "bad.js:1: a bracket or template is not closed", `b.vxml:3: <goto>: b.vxml has no dialog "three"`,
		"b.vxml:4: <audio>: fetch silence.wav", "b.vxml:4: <script>: Unexpected token", "c.vxml:2: <blok>: VoiceXML has no such element",
		`b.vxml:6: <field>: builtin:dtmf/digts: no builtin dtmf grammar "digts"`, "b.vxml:6: <grammar>: builtin:dtmf/boolean?y=1;n=1: y and n",
		`b.vxml:6: <goto>: the form has no item "q"`, `c.vxml:2: <assign>: the attribute "expr" is missing`, `c.vxml:2: <submit>: method "put" is neither get nor post`, `c.vxml:2: <prompt>: bargein`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("nothing says %q in\n%s", want, text)
		}
	}
	if len(all) != 15 {
		t.Errorf("%d problems, want 15:\n%s", len(all), text)
	}
}
