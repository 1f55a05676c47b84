package ssml

import (
	"context"
	"errors"
	"strings"
	"testing"

	"mcp/vxml/vxmltest"
	"mcp/vxml/xmltree"
)

// env has a value for every expression and one recording.
type env struct{}

func (env) Value(_ context.Context, v *Value) (string, error) { return "<" + v.Expr + ">", nil }
func (env) Mark(_ context.Context, m *Mark) (string, error)   { return m.Name, nil }

func (env) Audio(_ context.Context, a *Audio) (*Clip, error) {
	switch {
	case a.Expr != "":
		return nil, nil
	case a.Src == "have.wav":
		return &Clip{URI: a.Src}, nil
	}
	return nil, ErrUnavailable
}

func (env) Foreach(_ context.Context, _ *Foreach, body func() error) error {
	return errors.Join(body(), body())
}

func (env) Enumerate(_ context.Context, _ *Enumerate, _ func() error, say func(string)) error {
	say("choices")
	return nil
}

func TestRender(t *testing.T) {
	tests := []struct{ name, content, want string }{
		{"text", "Hello  you", "Hello  you"},
		{"nothing", "  \n ", ""},
		{"values are escaped", `a <value expr="x"/>`, "a &lt;x&gt;"},
		{"markup is kept", `<emphasis level="strong">now</emphasis><break time="1s"/>`, `<emphasis level="strong">now</emphasis><break time="1s"></break>`},
		{"a pause alone", `<break/>`, `<break></break>`},
		{"audio splits", `a<audio src="have.wav">alt</audio>b`, "a|have.wav|b"},
		{"audio splits markup", `<p>a<audio src="have.wav"/>b</p>`, "<p>a</p>|have.wav|<p>b</p>"},
		{"alternate content", `<audio src="no.wav">alt <audio src="have.wav"/></audio>`, "alt|have.wav"},
		{"audio left out", `a<audio expr="undefined">alt</audio>b`, "ab"},
		{"foreach", `<foreach item="i" array="a">x</foreach>`, "xx"},
		{"enumerate", `<enumerate/>`, "choices"},
		{"a mark alone", `<mark name="m"/>`, "mark m"},
		{"marks in speech", `a<mark name="m"/>b<mark name="n"/>`, `a<mark name="m"/>b<mark name="n"/>`},
		{"marks among recordings", `<mark name="k"/><audio src="have.wav"/> <mark name="l"/><mark name="m"/> <audio src="have.wav"/><mark name="n"/><break/>`,
			`mark k|have.wav|mark m|have.wav|<mark name="n"/><break></break>`},
		{"description is not spoken", `<audio src="no.wav"><desc>d</desc>alt</audio>`, "alt"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root, err := xmltree.Parse([]byte("<prompt>" + tt.content + "</prompt>"))
			if err != nil {
				t.Fatal(err)
			}
			content, err := Parse(root.Children)
			if err != nil {
				t.Fatal(err)
			}
			segments, err := Render(t.Context(), Prompt{Content: content, Language: "en-GB"}, env{})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, s := range segments {
				if s.Audio != nil {
					got = append(got, s.Audio.URI)
					continue
				}
				if s.Mark != "" {
					got = append(got, "mark "+s.Mark)
					continue
				}
				if _, err := xmltree.Parse([]byte(s.SSML)); err != nil {
					t.Errorf("%s: %v", s.SSML, err)
				}
				_, inner, _ := strings.Cut(s.SSML, `xml:lang="en-GB">`)
				got = append(got, strings.TrimSuffix(inner, "</speak>"))
			}
			if strings.Join(got, "|") != tt.want {
				t.Errorf("rendered %q, want %q", got, tt.want)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for _, bad := range []string{"<b>x</b>", `<break length="1"/>`, "<value/>", `<audio src="a" expr="b"/>`, "<audio/>"} {
		root, err := xmltree.Parse([]byte("<prompt>" + bad + "</prompt>"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(root.Children); err == nil {
			t.Errorf("%s was accepted", bad)
		}
	}
}

// FuzzRender renders any content: every segment is well-formed SSML.
func FuzzRender(f *testing.F) {
	f.Add(`<p>a<audio src="have.wav">b</audio><value expr="x"/></p><mark name="m"/><break time="1s"/>`)
	f.Add(`<voice gender="male"><s>a</s></voice><foreach item="i" array="a">b<enumerate/></foreach><sub alias="c">d</sub>`)
	for _, name := range vxmltest.Files(f, vxmltest.Suites, "w3c-vxml/*/*.vxml") {
		if page, err := xmltree.Parse(vxmltest.Read(f, name)); err == nil {
			prompts(page, func(content string) { f.Add(content) })
		}
	}
	f.Fuzz(func(t *testing.T, content string) {
		if len(content) > 300 { // the test's foreach doubles its content, so long inputs would only cost time
			return
		}
		vxmltest.Within(t, func() { render(t, content) })
	})
}

// prompts finds what the prompts of a page contain.
func prompts(n *xmltree.Node, found func(content string)) {
	for _, e := range n.Elements() {
		if e.Name != "prompt" {
			prompts(e, found)
			continue
		}
		var content string
		for _, c := range e.Children {
			content += xmltree.Write(c)
		}
		found(content)
	}
}

func render(t *testing.T, content string) {
	root, err := xmltree.Parse([]byte("<prompt>" + content + "</prompt>"))
	if err != nil {
		return
	}
	nodes, err := Parse(root.Children)
	if err != nil {
		return
	}
	segments, err := Render(t.Context(), Prompt{Content: nodes, Language: "en"}, env{})
	if err != nil {
		return
	}
	for _, s := range segments {
		if _, err := xmltree.Parse([]byte(s.SSML)); s.Audio == nil && err != nil {
			t.Errorf("%s: %v", s.SSML, err)
		}
	}
}

// What is constant says what it does when it is rendered anew; anything left open is not.
func TestConstant(t *testing.T) {
	tests := []struct {
		name, content string
		constant      bool
	}{
		{"text", "Hello &amp; welcome.", true},
		{"markup", `One <s>two</s> <break time="1s"/><sub alias="three">3</sub>`, true},
		{"silence", " ", false},
		{"a value", "You said <value expr='a'/>.", false},
		{"a value within", "<p><value expr='a'/></p>", false},
		{"a recording", "<audio src='a.wav'>hello</audio>", false},
		{"a mark", "<mark name='a'/>", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root, err := xmltree.Parse([]byte("<prompt>" + tt.content + "</prompt>"))
			if err != nil {
				t.Fatal(err)
			}
			nodes, err := Parse(root.Children)
			if err != nil {
				t.Fatal(err)
			}
			p := Prompt{Content: nodes, Language: "en-GB"}
			got := Constant(p)
			if (got != nil) != tt.constant {
				t.Fatalf("it is %v", got)
			}
			if !tt.constant {
				return
			}
			if want, err := Render(t.Context(), p, nil); err != nil || len(want) != len(got) || got[0] != want[0] {
				t.Errorf("%v, but rendered it is %v, %v", got, want, err)
			}
		})
	}
}
