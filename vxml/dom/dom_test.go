package dom

import (
	"context"
	"strings"
	"testing"

	"mcp/vxml/script"
	"mcp/vxml/vxmltest"
)

const sample = `<?xml version="1.0"?>
<?access-control allow="*"?>
<!-- before -->
<q:quote xmlns:q="urn:q" xmlns="urn:plain" xml:id="top" q:unit="p" unit="x">
	<last>30.00</last><?do it now?><!-- note --><last><![CDATA[a<b]]> c</last>
</q:quote>`

// evaluate evaluates an expression with d as the document.
func evaluate(t *testing.T, document, expr string) (string, error) {
	t.Helper()
	d, err := Parse([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	m := script.NewMachine(script.Limits{}, script.NewCache())
	var v script.Value
	for range 2 { // a second document of the session is no different
		if v, err = d.Bind(context.Background(), m); err != nil {
			t.Fatal(err)
		}
	}
	scope := m.NewScope(nil, "test")
	if err := scope.Declare("d", v); err != nil {
		t.Fatal(err)
	}
	out, err := scope.Eval(context.Background(), script.Source{Text: expr})
	return out.String(), err
}

func TestReading(t *testing.T) {
	tests := map[string]string{
		`d.nodeType + d.nodeName + d.nodeValue`:                             "9#documentnull",
		`d.documentElement.tagName`:                                         "q:quote",
		`d.documentElement.localName + d.documentElement.prefix`:            "quoteq",
		`d.documentElement.namespaceURI`:                                    "urn:q",
		`d.documentElement.parentNode === d`:                                "true",
		`d.documentElement.ownerDocument === d`:                             "true",
		`d.ownerDocument`:                                                   "null",
		`d.childNodes.length`:                                               "3",
		`d.getElementsByTagName('last').length`:                             "2",
		`d.getElementsByTagName('*').length`:                                "3",
		`d.getElementsByTagNameNS('urn:plain', 'last').item(1).textContent`: "a<b c",
		`d.getElementsByTagNameNS('urn:q', 'last').length`:                  "0",
		`(function (t) { return t.nodeType + t.nodeName + t.data + t.length; })(d.getElementsByTagName('last')[1].firstChild)`: "4#cdata-sectiona<b3",
		`d.getElementsByTagName('last')[1].firstChild.nextSibling.data`:                                                        " c",
		`d.getElementsByTagName('last')[0].firstChild.data`:                                                                    "30.00",
		`d.getElementsByTagName('last')[0].firstChild.substringData(1, 2)`:                                                     "0.",
		`d.getElementsByTagName('last')[0].namespaceURI`:                                                                       "urn:plain",
		`d.documentElement.getAttribute('unit') + d.documentElement.getAttributeNS('urn:q', 'unit')`:                           "xp",
		`d.documentElement.getAttribute('none') === ''`:                                                                        "true",
		`d.documentElement.hasAttribute('none')`:                                                                               "false",
		`d.documentElement.getAttributeNode('unit').ownerElement === d.documentElement`:                                        "true",
		`d.documentElement.attributes.length`:                                                                                  "5",
		`d.documentElement.attributes.getNamedItem('q:unit').value`:                                                            "p",
		`d.documentElement.firstChild.nodeType == Node.TEXT_NODE`:                                                              "true",
		`d.documentElement.firstChild.nodeType == d.TEXT_NODE`:                                                                 "true",
		`d.documentElement.firstChild.nextSibling.nodeName`:                                                                    "last",
		`d.documentElement.lastChild.previousSibling.nodeName`:                                                                 "last",
		`d.documentElement.firstChild.previousSibling`:                                                                         "null",
		`d.getElementsByTagName('last')[0].nextSibling.target`:                                                                 "do",
		`d.getElementsByTagName('last')[0].nextSibling.data`:                                                                   "it now",
		`d.getElementsByTagName('last')[0].nextSibling.nextSibling.nodeName`:                                                   "#comment",
		`d.getElementById('top') === d.documentElement`:                                                                        "true",
		`d.implementation.hasFeature('Core', '2.0')`:                                                                           "true",
		`DOMException.NOT_FOUND_ERR`:                                                                                           "8",
		`d.documentElement.childNodes.item(99)`:                                                                                "null",
	}
	for expr, want := range tests {
		got, err := evaluate(t, sample, expr)
		if err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", expr, got, err, want)
		}
	}
}

func TestChangingIsRefused(t *testing.T) {
	for _, change := range []string{
		`d.documentElement.appendChild(d.documentElement)`, `d.documentElement.setAttribute('a', 'b')`, `d.createElement('x')`,
		`d.documentElement.firstChild.data = 'x'`, `d.documentElement.nodeValue = 'x'`, `d.documentElement.attributes.removeNamedItem('unit')`,
		`d.documentElement.firstChild.splitText(1)`, `d.documentElement.getAttributeNode('unit').value = 'y'`,
	} {
		got, err := evaluate(t, sample, `(function () { try { `+change+`; return 'done'; } catch (e) { return e.code == e.NO_MODIFICATION_ALLOWED_ERR; } })()`)
		if err != nil || got != "true" {
			t.Errorf("%s: %s, %v", change, got, err)
		}
	}
	// What is no part of the DOM cannot be added either.
	if got, err := evaluate(t, sample, `(d.extra = 1, typeof d.extra)`); err != nil || got != "undefined" {
		t.Errorf("extra: %s, %v", got, err)
	}
}

func TestRefusals(t *testing.T) {
	tests := map[string]string{
		"":                                   "no root element",
		"text":                               "outside the root",
		"<a>":                                "not closed",
		"<a></b>":                            "closed by",
		"<a/><b/>":                           "follows the root",
		"<x:a/>":                             "no name in a namespace",
		"<a b='1' b='2'/>":                   "twice",
		"<!DOCTYPE a [<!ENTITY b 'c'>]><a/>": "internal subset",
		strings.Repeat("<a>", 300):           "nested deeper",
		"<?access-control allw='*'?><a/>":    `no attribute "allw"`,
	}
	for text, want := range tests {
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %q", text, err, want)
		}
	}
}

func TestAccess(t *testing.T) {
	tests := []struct {
		pi, host string
		want     bool
	}{
		{"", "anybody.example", true},
		{`<?access-control allow="*"?>`, "anybody.example", true},
		{`<?access-control allow="*.friend.example"?>`, "a.friend.example", true},
		{`<?access-control allow="*.friend.example"?>`, "A.Friend.Example", true},
		{`<?access-control allow="*.friend.example"?>`, "friend.example", false},
		{`<?access-control allow="*.friend.example"?>`, "badfriend.example", false},
		{`<?access-control allow="friend.example 10.0.0.1"?>`, "10.0.0.1", true},
		{`<?access-control allow="*" deny="*.enemy.example"?>`, "a.enemy.example", false},
		{`<?access-control allow="a.example"?><?access-control allow="b.example"?>`, "b.example", true},
		{`<?access-control deny="b.example"?>`, "a.example", false},
		{`<?access-control deny="*"?>`, "own.example", true},
	}
	for _, tt := range tests {
		d, err := Parse([]byte(tt.pi + "<a/>"))
		if err != nil {
			t.Fatal(err)
		}
		if got := d.Readable(tt.host, "own.example"); got != tt.want {
			t.Errorf("%s for %s: %v", tt.pi, tt.host, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(sample))
	for _, name := range vxmltest.Files(f, vxmltest.Suites, "w3c-vxml/*/*.xml") {
		f.Add(vxmltest.Read(f, name))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		vxmltest.Within(t, func() {
			d, err := Parse(data)
			if (d == nil) == (err == nil) {
				t.Error("neither document nor error, or both")
			}
		})
	})
}
