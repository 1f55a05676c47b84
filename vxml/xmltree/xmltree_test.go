package xmltree

import (
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	const text = `<?xml version="1.0"?>
<!DOCTYPE a PUBLIC "x" "y">
<a xmlns="urn:1" xmlns:p="urn:2" xml:lang="en" k="1">
  <!-- note --><b
    one="1">text<![CDATA[ & more]]> end</b>
  <p:c p:x="2" x="3"/>
</a>`
	root, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	e := root.Elements()
	if root.Name != "a" || root.Space != "urn:1" || root.Line != 3 || root.Attr("xml:lang") != "en" {
		t.Errorf("root %+v", root)
	}
	if b := e[0]; b.Line != 4 || b.Content() != "text & more end" || len(b.Children) != 1 {
		t.Errorf("b %+v", b)
	}
	if c := e[1]; c.Line != 6 || c.Space != "urn:2" || c.Attr("x") != "3" || c.HasContent() {
		t.Errorf("c %+v", c)
	}
	again, err := Parse([]byte(Write(root)))
	if err != nil || again.Elements()[0].Content() != "text & more end" || again.Elements()[1].Space != "urn:2" {
		t.Errorf("written %s: %v", Write(root), err)
	}
}

func TestParseEncodings(t *testing.T) {
	root, err := Parse([]byte("<?xml version='1.0' encoding='ISO-8859-1'?><a>\xe9</a>"))
	if err != nil || root.Content() != "é" {
		t.Errorf("%v, %v", root, err)
	}
}

func TestParseRefuses(t *testing.T) {
	tests := []struct{ text, want string }{
		{"", "line 1: there is no root element"},
		{"\n\n<a>", "line 3: <a> is not closed"},
		{"<a/>\n<b/>", "line 2: <b> follows the root element"},
		{"<a/>\ntext", "text outside the root element"},
		{"<a x='1' x='2'/>", "twice"},
		{"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "internal subset"},
		{"<a>&b;</a>", "no reference to a character"},
		{strings.Repeat("<a>", MaxDepth+1), "deeper than 256"},
		{"<a>" + strings.Repeat(" ", MaxSize) + "</a>", "larger than"},
		{"<a></b>", "closed by </b>"},
	}
	for _, tt := range tests {
		_, err := Parse([]byte(tt.text))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.30q: error %v, want %q", tt.text, err, tt.want)
		}
	}
}
