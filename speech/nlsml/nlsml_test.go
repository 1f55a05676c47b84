package nlsml

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	const rfc = `<?xml version="1.0"?>
<result xmlns="urn:ietf:params:xml:ns:mrcpv2" xmlns:ex="http://www.example.com/example" grammar="session:request1@form-level.store">
  <interpretation><instance name="Person"><ex:Person><ex:Name> Andre Roy </ex:Name></ex:Person></instance>
  <input>   may I speak to
     Andre Roy </input></interpretation></result>`
	for _, row := range []struct {
		name  string
		xml   string
		scale Scale
		want  Result
	}{
		{"RFC 6787 section 5.1", rfc, Fraction, Result{Interpretations: []Interpretation{
			Interpretation{"session:request1@form-level.store", 1, "<ex:Person><ex:Name> Andre Roy </ex:Name></ex:Person>", "may I speak to Andre Roy", ""}}}},
		{"no namespace, grammar on the interpretation", `<result><interpretation grammar="session:a" confidence="0.97"><instance>one</instance><input mode="speech">one</input></interpretation></result>`,
			Fraction, Result{Interpretations: []Interpretation{Interpretation{"session:a", 0.97, "one", "one", "voice"}}}},
		{"prefixed", `<nl:result xmlns:nl="http://www.ietf.org/xml/ns/mrcpv2" grammar="g"><nl:interpretation confidence="0.5"><xf:instance xmlns:xf="x">a &amp; b</xf:instance><nl:input mode="DTMF">1 2</nl:input></nl:interpretation></nl:result>`,
			Fraction, Result{Interpretations: []Interpretation{Interpretation{"g", 0.5, "a & b", "1 2", "dtmf"}}}},
		{"several, worst first", `<result grammar="g"><interpretation confidence="0.4"><input>b</input></interpretation><interpretation confidence="0.6"><input>a</input></interpretation></result>`,
			Fraction, Result{Interpretations: []Interpretation{Interpretation{"g", 0.6, "a", "a", ""}, Interpretation{"g", 0.4, "b", "b", ""}}}},
		{"percent over MRCPv2", `<result><interpretation confidence="100"><input>a</input></interpretation><interpretation confidence="1"><input>b</input></interpretation></result>`,
			Fraction, Result{Interpretations: []Interpretation{Interpretation{"", 1, "a", "a", ""}, Interpretation{"", 0.01, "b", "b", ""}}}},
		{"one of MRCPv2 is certainty", `<result><interpretation confidence="1"><input>a</input></interpretation></result>`,
			Fraction, Result{Interpretations: []Interpretation{Interpretation{"", 1, "a", "a", ""}}}},
		{"one of MRCPv1 is a percent", `<result><interpretation confidence="1"><input>a</input></interpretation></result>`,
			Percent, Result{Interpretations: []Interpretation{Interpretation{"", 0.01, "a", "a", ""}}}},
		{"confidence on the input", `<result><interpretation><instance/><input confidence="0.3" mode="voice">a</input></interpretation></result>`,
			Fraction, Result{Interpretations: []Interpretation{Interpretation{"", 0.3, "", "a", "voice"}}}},
		{"nomatch inside input", `<result><interpretation><input><nomatch/></input><instance/></interpretation></result>`, Fraction, Result{NoMatch: true}},
		{"nomatch with what was heard", `<result><interpretation confidence="0.1"><instance/><input><nomatch>hm</nomatch></input></interpretation></result>`, Fraction, Result{NoMatch: true}},
		{"noinput", `<result><interpretation><input mode="speech"><noinput/></input></interpretation></result>`, Fraction, Result{NoInput: true}},
		{"nomatch under result", `<result><nomatch/></result>`, Fraction, Result{NoMatch: true}},
		{"nested input", `<result><interpretation><instance>x</instance><input><input mode="speech" confidence="0.8">from here</input><input mode="dtmf">1</input></input></interpretation></result>`,
			Fraction, Result{Interpretations: []Interpretation{Interpretation{"", 0.8, "x", "from here 1", "voice"}}}},
		{"instance named inside", `<result><interpretation><instance><instance>deep</instance></instance><input>a</input></interpretation></result>`,
			Fraction, Result{Interpretations: []Interpretation{Interpretation{"", 1, "<instance>deep</instance>", "a", ""}}}},
		{"Nuance keys", `<result><interpretation grammar="session:g" confidence="87"><input mode="speech">yes</input><instance><SWI_literal>yes</SWI_literal><SWI_meaning>{SWI_literal:yes}</SWI_meaning></instance></interpretation></result>`,
			Fraction, Result{Interpretations: []Interpretation{Interpretation{"session:g", 0.87, "<SWI_literal>yes</SWI_literal><SWI_meaning>{SWI_literal:yes}</SWI_meaning>", "yes", "voice"}}}},
		{"empty", `<result/>`, Fraction, Result{}},
		{"latin-1", "<?xml version=\"1.0\" encoding='ISO-8859-1'?><result><interpretation><input>caf\xe9</input></interpretation></result>",
			Fraction, Result{Interpretations: []Interpretation{Interpretation{"", 1, "café", "café", ""}}}},
		{"model ignored", `<result><interpretation><xf:model xmlns:xf="x"><instance>no</instance></xf:model><instance><![CDATA[<5]]></instance><input>a</input></interpretation></result>`,
			Fraction, Result{Interpretations: []Interpretation{Interpretation{"", 1, "<5", "a", ""}}}},
		{"nonsense confidence", `<result><interpretation confidence="high"><input>a</input></interpretation><interpretation confidence="-3"><input>b</input></interpretation></result>`,
			Fraction, Result{Interpretations: []Interpretation{Interpretation{"", 1, "a", "a", ""}, Interpretation{"", 0, "b", "b", ""}}}},
	} {
		got, err := Parse([]byte(row.xml), row.scale)
		if err != nil || !reflect.DeepEqual(got, row.want) {
			t.Errorf("%s: %v\n got %+v\nwant %+v", row.name, err, got, row.want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":        "",
		"text":           "hello",
		"another root":   "<emma/>",
		"cut off":        "<result><interpretation><input>a",
		"not closed":     "<result><interpretation></result>",
		"encoding":       `<?xml version="1.0" encoding="KOI8-R"?><result/>`,
		"too deep":       "<result>" + strings.Repeat("<a>", 1000) + strings.Repeat("</a>", 1000) + "</result>",
		"undefined":      "<result><interpretation><input>&nbsp;</input></interpretation></result>",
		"RFC's own typo": `<result><interpretation confidence="0.4" <instance/></interpretation></result>`,
	} {
		if _, err := Parse([]byte(text), Fraction); !errors.Is(err, ErrNotNLSML) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	for _, want := range []Result{
		{},
		{NoMatch: true},
		{NoInput: true},
		{Interpretations: []Interpretation{
			Interpretation{"session:a&b@c", 0.75, "<city>Köln</city>", `say "x" <y>`, "voice"},
			Interpretation{"", 0.5, "a < b", "12", "dtmf"},
			Interpretation{"builtin:speech/boolean", 0, "<not closed", "z", ""},
		}},
	} {
		written := want.Append(nil)
		got, err := Parse(written, Fraction)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%v\n%s\n got %+v\nwant %+v", err, written, got, want)
		}
	}
}

func TestWrittenForm(t *testing.T) {
	want := `<?xml version="1.0" encoding="UTF-8"?>
<result xmlns="urn:ietf:params:xml:ns:mrcpv2">
  <interpretation grammar="session:yesno@mcp" confidence="1.0">
    <instance>yes</instance>
    <input mode="speech">yes</input>
  </interpretation>
</result>
`
	result := Result{Interpretations: []Interpretation{Interpretation{"session:yesno@mcp", 1, "yes", "yes", "voice"}}}
	if got := string(result.Append(nil)); got != want {
		t.Errorf("got\n%s", got)
	}
}

func TestCapturedResult(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "mrcp", "testdata", "captures", "v2-recog.txt"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "Content-Length: 208\n\n")
	got, err := Parse([]byte(rest[:208]), Fraction)
	alternatives := got.Alternatives()
	if err != nil || len(alternatives) != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	a := alternatives[0]
	if a.GrammarID != "session:request1@form-level.store" || a.Confidence != 0.97 || a.Instance != "one" || a.Utterance != "one" || a.Mode != "voice" {
		t.Errorf("%+v", a)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`<result grammar="g"><interpretation confidence="40"><instance><a>b</a></instance><input mode="speech">x<nomatch/></input></interpretation></result>`))
	f.Add([]byte("<?xml version=\"1.0\" encoding='latin1'?><result>\xe9<noinput/></result>"))
	f.Add(Result{Interpretations: []Interpretation{Interpretation{"g", 0.5, "<a/>", "x", "voice"}}}.Append(nil))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, scale := range []Scale{Fraction, Percent} {
			r, err := Parse(body, scale)
			if err != nil {
				continue
			}
			last := math.Inf(1)
			for _, in := range r.Interpretations {
				if !(in.Confidence >= 0 && in.Confidence <= 1) || in.Confidence > last {
					t.Errorf("confidences %+v", r.Interpretations)
				}
				last = in.Confidence
			}
			again, err := Parse(r.Append(nil), Fraction)
			if err != nil || len(again.Interpretations) != len(r.Interpretations) {
				t.Errorf("cannot read what was written: %v", err)
			}
		}
	})
}
