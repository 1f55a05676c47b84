package xmltree

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"mcp/vxml/vxmltest"
)

// What XML 1.0 and Namespaces in XML say of single characters and words.
func TestReader(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"attributes are normalized (3.3.3)", "<a b='1\n2\t3\r\n4'/>", `<a b="1 2 3 4"></a>`},
		{"but not what a reference wrote", "<a b='1&#10;2&#9;3&#xD;'/>", "<a b=\"1\n2\t3\r\"></a>"},
		{"lines end alike (2.11)", "<a>1\r\n2\r3<![CDATA[\r\n]]></a>", "<a>1\n2\n3[\n]</a>"},
		{"references", "<a>&lt;&gt;&amp;&apos;&quot;&#65;&#x42;&#x1F600;</a>", "<a><>&'\"AB\U0001f600</a>"},
		{"no others", "<a>&nbsp;</a>", "!1"},
		{"to nothing", "<a>&#0;</a>", "!1"},
		{"to half a character", "<a>&#xD800;</a>", "!1"},
		{"beyond the last", "<a>&#x110000;</a>", "!1"},
		{"a bare ampersand", "<a>\n&</a>", "!2"},
		{"signed", "<a>&#+65;</a>", "!1"},
		{"X is no x", "<a>&#X41;</a>", "!1"},
		{"sections (2.7)", "<a><![CDATA[<&]]>]]&gt;</a>", "<a>[<&]]]></a>"},
		{"their end in text", "<a>]]></a>", "!1"},
		{"one that does not end", "<a><![CDATA[ </a>", "!1"},
		{"one outside", "<![CDATA[]]><a/>", "!1"},
		{"comments (2.5)", "<!-- - --><a><!--x\n--></a>", "(- - -)<a>(-x\n-)</a>"},
		{"two hyphens", "<a><!-- -- --></a>", "!1"},
		{"three at the end", "<a><!-- ---></a>", "!1"},
		{"instructions (2.6)", "<?p  q r?><a><?p?></a>", "(?p q r?)<a>(?p ?)</a>"},
		{"one with a colon", "<?p:q?><a/>", "!1"},
		{"reserved", "<a><?XML?></a>", "!1"},
		{"the declaration is first (2.8)", " <?xml version='1.0'?><a/>", "!1"},
		{"and one", "<?xml version='1.0'?>\n<?xml version='1.0'?><a/>", "!2"},
		{"in order", "<?xml encoding='utf-8' version='1.0'?><a/>", "!1"},
		{"a style sheet is none", "<?xml-stylesheet href='a'?><a/>", "(?xml-stylesheet href='a'?)<a></a>"},
		{"document types (2.8)", "<!DOCTYPE a><a/>", "<a></a>"},
		{"one after the root", "<a/><!DOCTYPE a>", "!1"},
		{"two", "<!DOCTYPE a><!DOCTYPE a><a/>", "!1"},
		{"in lower case", "<!doctype a><a/>", "!1"},
		{"names (2.3)", "<é-·.1/>", "<é-·.1></é-·.1>"},
		{"not with a digit", "<1/>", "!1"},
		{"nor a hyphen", "<-a/>", "!1"},
		{"nothing between attributes", "<a b='1'c='2'/>", "!1"},
		{"no quotes", "<a b=1/>", "!1"},
		{"no value", "<a b/>", "!1"},
		{"< in a value", "<a b='<'/>", "!1"},
		{"> in a value", "<a b='>'/>", `<a b=">"></a>`},
		{"twice", "<a b='1' b='2'/>", "!1"},
		{"twice by two prefixes", "<a xmlns:p='u' xmlns:q='u' p:b='' q:b=''/>", "!1"},
		{"the default namespace is not the attributes'", "<a xmlns='u' xmlns:p='u' b='1' p:b='2'/>", `<{u}a b="1" {u}b="2"></{u}a>`},
		{"white space in tags", "<a\n\tb = '1'\n></a\n>", `<a b="1"></a>`},
		{"a space before the name", "< a/>", "!1"},
		{"a space before the name of an end", "<a></ a>", "!1"},
		{"prefixes (Namespaces 5)", "<p:a xmlns:p='u'><p:a xmlns:p='v'/><p:a/></p:a>", "<{u}a><{v}a></{v}a><{u}a></{u}a></{u}a>"},
		{"the default", "<a xmlns='u'><b xmlns=''/><c/></a>", "<{u}a><b></b><{u}c></{u}c></{u}a>"},
		{"one that is not declared", "<a><p:b/></a>", "!1"},
		{"one that is no longer", "<a><b xmlns:p='u'/><p:b/></a>", "!1"},
		{"undeclared again", "<a xmlns:p='u'><b xmlns:p=''/></a>", "!1"},
		{"two colons", "<a:b:c xmlns:a='u'/>", "!1"},
		{"a digit behind the colon", "<a:1 xmlns:a='u'/>", "!1"},
		{"another name at the end", "<p:a xmlns:p='u' xmlns:q='u'></q:a>", "!1"},
		{"xml is bound", "<a xml:lang='en'/>", `<a {http://www.w3.org/XML/1998/namespace}lang="en"></a>`},
		{"and stays so", "<a xmlns:xml='u'/>", "!1"},
		{"xmlns is no prefix", "<xmlns:a/>", "!1"},
		{"control characters (2.2)", "<a>\n\x01</a>", "!2"},
		{"what is no character", "<a>\ufffe</a>", "!1"},
		{"text behind the root", "<a/>\n\nx", "!3"},
		{"an empty reference", "<a>&;</a>", "!1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ours([]byte(tt.text))
			var fault *Error
			if errors.As(err, &fault) {
				got = fmt.Sprintf("!%d", fault.Line)
			}
			if got != tt.want {
				t.Errorf("%q reads as %q, %v, want %q", tt.text, got, err, tt.want)
			}
		})
	}
}

// ours writes the tokens of a document in a form of its own.
func ours(data []byte) (string, error) {
	r, err := NewReader(data)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for {
		t, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			return b.String(), nil
		case err != nil:
			return "", err
		}
		name := func(n Name) string { return clark(n.Space, n.Local) }
		switch t.Kind {
		case Start:
			b.WriteString("<" + name(t.Name))
			for _, a := range t.Attrs {
				if !a.Declares() {
					fmt.Fprintf(&b, ` %s="%s"`, name(a.Name), a.Value)
				}
			}
			b.WriteString(">")
		case End:
			b.WriteString("</" + name(t.Name) + ">")
		case Text:
			b.WriteString(t.Text)
		case CDATA:
			b.WriteString("[" + t.Text + "]")
		case Comment:
			b.WriteString("(-" + t.Text + "-)")
		case Instruction:
			b.WriteString("(?" + t.Name.Local + " " + t.Text + "?)")
		}
	}
}

func clark(space, local string) string {
	if space == "" {
		return local
	}
	return "{" + space + "}" + local
}

// theirs does the same by encoding/xml, which does not tell sections from text and
// does not normalize attributes.
func theirs(data []byte) (string, error) {
	d := xml.NewDecoder(bytes.NewReader(data))
	var b strings.Builder
	depth := 0
	name := func(n xml.Name) string {
		if n.Space == "xml" {
			n.Space = XMLNamespace
		}
		return clark(n.Space, n.Local)
	}
	for {
		t, err := d.Token()
		switch {
		case errors.Is(err, io.EOF):
			return b.String(), nil
		case err != nil:
			return "", err
		}
		switch t := t.(type) {
		case xml.StartElement:
			depth++
			b.WriteString("<" + name(t.Name))
			for _, a := range t.Attr {
				if a.Name.Space != "xmlns" && (a.Name.Space != "" || a.Name.Local != "xmlns") {
					fmt.Fprintf(&b, ` %s="%s"`, name(a.Name), a.Value)
				}
			}
			b.WriteString(">")
		case xml.EndElement:
			depth--
			b.WriteString("</" + name(t.Name) + ">")
		case xml.CharData:
			if depth > 0 {
				b.Write(t)
			}
		case xml.Comment:
			b.WriteString("(-" + string(t) + "-)")
		case xml.ProcInst:
			if t.Target != "xml" {
				b.WriteString("(?" + t.Target + " " + string(t.Inst) + "?)")
			}
		}
	}
}

// FuzzReader compares the reader with encoding/xml: what it accepts that one does,
// and reads the same in it.
func FuzzReader(f *testing.F) {
	for _, pattern := range []string{"w3c-vxml/*/*.vxml", "w3c-vxml/*/*.xml", "w3c-srgs/test/*.grxml"} {
		for _, name := range vxmltest.Files(f, vxmltest.Suites, pattern) {
			f.Add(vxmltest.Read(f, name))
		}
	}
	f.Add([]byte("<?xml version='1.0'?><!DOCTYPE a><a xmlns:p='u' p:b='1'><!-- c --><?p q?><![CDATA[d]]>&#65;</a>"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if decoded, err := decode(data); err != nil || !bytes.Equal(decoded, data) {
			return // what both read is to be in UTF-8
		}
		got, err := ours(data)
		if err != nil {
			if _, err := Parse(data); err == nil {
				t.Errorf("%q has a tree but no tokens", data)
			}
			return
		}
		want, err := theirs(data)
		switch {
		case err != nil && (strings.Contains(err.Error(), "name") || strings.Contains(err.Error(), "version") || strings.Contains(err.Error(), "encoding")):
			// It knows the names of older editions, and version 1.0 only.
		case err != nil:
			t.Errorf("%q is accepted, but %v", data, err)
		case level(got) != level(want):
			t.Errorf("%q reads as %q, there as %q", data, got, want)
		}
	})
}

// level takes away what differs by intent.
func level(s string) string {
	return strings.NewReplacer("[", "", "]", "", "\n", " ", "\t", " ", "\r", " ").Replace(s)
}
