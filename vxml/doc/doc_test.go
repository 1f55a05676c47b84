package doc

import (
	"strings"
	"testing"

	"mcp/vxml/vxmltest"
)

const page = `<?xml version="1.0"?>
<vxml version="2.1" xmlns="http://www.w3.org/2001/vxml" xml:lang="en-GB">
  <var name="x" expr="1"/>
  <form id="main">
    <block>Hello <value expr="x"/> <if cond="x == 1">one<elseif cond="x == 2"/>two<else/>many</if></block>
    <field name="pin" type="digits?length=4">
      <prompt count="2">Again.</prompt>
      <grammar root="r" version="1.0" mode="dtmf"><rule id="r">1 2</rule></grammar>
      <filled><exit namelist="pin"/></filled>
      <noinput count="3"><reprompt/></noinput>
    </field>
  </form>
</vxml>`

func TestCompile(t *testing.T) {
	p, err := Compile([]byte(page), "http://h/a.vxml")
	if err != nil {
		t.Fatal(err)
	}
	form := p.Dialog("main")
	field := form.Items[1].(*Field)
	if len(field.Grammars) != 3 || field.Prompts[0].Count != 2 || field.Catches[0].Count != 3 || len(field.Filled) != 1 {
		t.Errorf("field compiled to %+v", field)
	}
	if g := field.Grammars[2]; g.Inline == nil || !strings.Contains(string(g.Source), `mode="dtmf" root="r"`) {
		t.Errorf("grammar source %q", g.Source)
	}
	block := form.Items[0].(*Block)
	if got := len(block.Body[1].(*If).Branches); got != 3 {
		t.Errorf("if has %d branches, want 3", got)
	}
}

func TestRefusals(t *testing.T) {
	wrap := func(s string) string { return "<vxml version=\"2.0\">\n" + s + "</vxml>" }
	tests := []struct{ name, page, want string }{
		{"not xml", "<vxml", "u:1:"},
		{"truncated", "<vxml version='2.0'>\n<form>\n<block>", "u:3:"},
		{"wrong root", "<html/>", "u:1: <html>: the root element is not <vxml>"},
		{"no version", "<vxml/>", `u:1: <vxml>: the attribute "version" is missing`},
		{"odd version", "<vxml version='9'/>", "neither 2.0 nor 2.1"},
		{"unknown element", wrap("<form>\n<blok/></form>"), "u:3: <blok>: VoiceXML has no such element"},
		{"misplaced element", wrap("<block/>"), "u:2: <block>: is not allowed in <vxml>"},
		{"unknown attribute", wrap("<form ident='x'/>"), `u:2: <form>: there is no attribute "ident"`},
		{"text in form", wrap("<form>hello</form>"), "text is not allowed here"},
		{"duplicate attribute", wrap("<form id='a' id='b'/>"), `attribute "id" twice`},
		{"two forms of one id", wrap("<form id='a'/><form id='a'/>"), `two dialogs "a"`},
		{"two items of one name", wrap("<form><block name='a'/><block name='a'/></form>"), `two form items "a"`},
		{"goto without target", wrap("<form><block><goto/></block></form>"), "exactly one of next"},
		{"internal subset", "<!DOCTYPE vxml [<!ENTITY a 'b'>]><vxml version='2.0'/>", "internal subset"},
		{"audio with src and expr", wrap("<form><block><audio src='a' expr='b'/></block></form>"), "exactly one of src and expr"},
		{"a filled of a block", wrap("<form><block name='b'/><filled namelist='b'>x</filled></form>"), `u:2: <filled>: "b" is no input item`},
		{"a numbered menu with keys", wrap("<menu dtmf='true'><choice dtmf='1' next='#a'>a</choice></menu>"), `may only be 0, * or #`},
		{"odd accept", wrap("<menu><choice accept='maybe' next='#a'>a</choice></menu>"), `neither exact nor approximate`},
		{"transfer to nobody", wrap("<form><transfer name='t'/></form>"), "exactly one of dest and destexpr"},
		{"transfer of two kinds", wrap("<form><transfer dest='a' bridge='true' type='blind'/></form>"), "both type and bridge"},
		{"transfer of an odd kind", wrap("<form><transfer dest='a' type='odd'/></form>"), "none of blind, bridge"},
		{"record of odd length", wrap("<form>\n<record maxtime='long'/></form>"), "u:3: <record>: maxtime"},
		{"param of two values", wrap("<form><object><param name='a' expr='1' value='2'/></object></form>"), "exactly one of expr and value"},
		{"param without a value", wrap("<form><subdialog src='#a'><param name='a'/></subdialog></form>"), "exactly one of expr and value"},
		{"data from nowhere", wrap("<data name='d'/>"), "exactly one of the URI"},
		{"odd maxage", wrap("<form><block><goto next='a' maxage='-1'/></block></form>"), "maxage"},
		{"odd fetchhint", wrap("<form><block><goto next='a' fetchhint='never'/></block></form>"), "neither prefetch nor safe"},
		{"meta of nothing", wrap("<meta content='x'/>"), "exactly one of name and http-equiv"},
		{"else outside if", wrap("<form><block><else/></block></form>"), "not allowed in <block>"},
		{"exit with both", wrap("<form><block><exit expr='1' namelist='a'/></block></form>"), "both expr and namelist"},
		{"base before the message", "<vxml version='2.0' xml:base='http://other/'>\n<form ident='x'/></vxml>", "u:2:"},
		{"a property of nothing", wrap("<property name='timeout'/>"), `u:2: <property>: the attribute "value" is missing`},
		{"deep", strings.Repeat("<a>", 300), "nested deeper"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Compile([]byte(tt.page), "u")
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}

// A grammar that is none spoils only what uses it.
func TestWrongGrammars(t *testing.T) {
	for _, content := range []string{"<rule id='y'>a</rule>", "#ABNF 1.0; root $x", "<rule/>"} {
		p, err := Compile([]byte("<vxml version='2.0'><form><field><grammar root='x' type='"+
			map[bool]string{true: "application/srgs", false: "application/srgs+xml"}[content[0] == '#']+"'>"+content+"</grammar></field></form></vxml>"), "u")
		if err != nil {
			t.Fatal(err)
		}
		if g := p.Dialogs[0].Items[0].(*Field).Grammars[0]; g.Wrong == nil || g.Inline != nil {
			t.Errorf("%s: %v", content, g.Wrong)
		}
	}
}

func FuzzCompile(f *testing.F) {
	f.Add([]byte(page))
	f.Add([]byte(`<vxml version="2.0"><menu dtmf="true"><choice next="#a">one</choice></menu></vxml>`))
	for _, name := range vxmltest.Files(f, vxmltest.Suites, "w3c-vxml/*/*.vxml") {
		f.Add(vxmltest.Read(f, name))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		vxmltest.Within(t, func() {
			p, err := Compile(data, "u")
			if err == nil && p == nil {
				t.Error("neither page nor error")
			}
		})
	})
}
