package spoken

import (
	"strings"
	"testing"

	"mcp/speech"
	"mcp/speech/nlsml"
	"mcp/vxml/xmltree"
)

func parse(t *testing.T, text string) *xmltree.Node {
	t.Helper()
	n, err := xmltree.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// What <tts> may contain (RFC 5707 section 9.10.2.1) becomes a whole SSML document.
func TestSpeak(t *testing.T) {
	const head = `<speak xmlns="http://www.w3.org/2001/10/synthesis" version="1.0" xml:lang=`
	for _, tt := range []struct{ name, tts, want string }{
		{"text", `<tts>Good day &amp; welcome</tts>`, head + `"de-DE">Good day &amp; welcome</speak>`},
		{"markup", `<tts>Hold <break time="1s"/> on</tts>`, head + `"de-DE">Hold <break time="1s"/> on</speak>`},
		{"a document", `<tts> <speak version="1.0" xml:lang="en-GB"><p>Hello</p></speak> </tts>`, head + `"en-GB"><p>Hello</p></speak>`},
		{"a document of its namespace", `<tts><speak xmlns="http://www.w3.org/2001/10/synthesis" version="1.0">Hello</speak></tts>`, head + `"de-DE">Hello</speak>`},
	} {
		if got := Speak(parse(t, tt.tts), "de-DE"); got != tt.want {
			t.Errorf("%s: %s", tt.name, got)
		}
	}
	for text, want := range map[string]string{
		"Good day < welcome": head + `"de-DE">Good day &lt; welcome</speak>`,
		`<?xml version="1.0"?><speak version="1.0" xml:lang="fr">Bonjour</speak>`: head + `"fr">Bonjour</speak>`,
	} {
		if got := SpeakText([]byte(text), "de-DE"); got != want {
			t.Errorf("%s: %s", text, got)
		}
	}
}

// city is the grammar of RFC 5707 section 13.4.
const city = `<grammar version="1.0" iterate="2"><rule id="city" scope="public"><item><one-of><item>vancouver</item><item>new york</item><item>london</item></one-of></item></rule>` +
	`<match><send target="group" event="terminate"/></match></grammar>`

func TestInlineGrammar(t *testing.T) {
	g, err := Inline(parse(t, city), "g1")
	if err != nil {
		t.Fatal(err)
	}
	const want = `<grammar xmlns="http://www.w3.org/2001/06/grammar" version="1.0" xml:lang="en-US" mode="voice" root="city"><rule id="city" scope="public">` +
		`<item><one-of><item>vancouver</item><item>new york</item><item>london</item></one-of></item></rule></grammar>`
	if got := string(g.Content); got != want {
		t.Errorf("%s", got)
	}
	if g.ID != "g1" || g.MediaType != "application/srgs+xml" || g.Language != "en-US" || len(g.Phrases(10)) != 3 {
		t.Errorf("%+v", g)
	}
	for name, text := range map[string]string{
		"a rule that is not there": `<grammar version="1.0" root="x"><rule id="city"><ruleref uri="#town"/></rule></grammar>`,
		"keys":                     `<grammar mode="dtmf" root="x"><rule id="x">1</rule></grammar>`,
		"no rule":                  `<grammar version="1.0"><match/><item>a</item></grammar>`,
	} {
		if _, err := Inline(parse(t, text), "g"); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func TestExternalGrammar(t *testing.T) {
	body := []byte(`<grammar xmlns="http://www.w3.org/2001/06/grammar" version="1.0" xml:lang="de-DE" root="r"><rule id="r">ja</rule></grammar>`)
	if g := External("text/xml", body, "http://h/g", "g1"); g.MediaType != srgsType || g.Language != "de-DE" || !g.allows([]string{"ja"}) {
		t.Errorf("%+v", g)
	}
	if g := External("application/x-nuance-gsl", []byte("[yes no]"), "http://h/g", "g1"); g.MediaType != "application/x-nuance-gsl" || g.linked != nil {
		t.Errorf("%+v", g)
	}
}

func TestFind(t *testing.T) {
	cities, err := Inline(parse(t, city), "g1")
	if err != nil {
		t.Fatal(err)
	}
	digits, err := Inline(parse(t, `<grammar root="r"><rule id="r"><item>seven</item><item>eight</item></rule></grammar>`), "g2")
	if err != nil {
		t.Fatal(err)
	}
	all := []Grammar{cities, digits}
	for _, tt := range []struct {
		name  string
		heard speech.Alternative
		in    []Grammar
		want  int
	}{
		{"named by the recognizer", speech.Alternative{GrammarID: "g2", Utterance: "anything"}, all, 1},
		{"named as a session's", speech.Alternative{GrammarID: "session:g2"}, all, 1},
		{"not named, told by its words", speech.Alternative{Utterance: "seven eight"}, all, 1},
		{"not named, the only one", speech.Alternative{Utterance: "anything"}, all[:1], 0},
		{"a transcript", speech.Alternative{Utterance: "78", Transcript: true}, all, 1},
		{"a transcript in capitals", speech.Alternative{Utterance: "New York", Transcript: true}, all, 0},
		{"a transcript of something else", speech.Alternative{Utterance: "paris", Transcript: true}, all, -1},
	} {
		if got := Find(tt.heard, tt.in); got != tt.want {
			t.Errorf("%s: %d", tt.name, got)
		}
	}
}

func TestResults(t *testing.T) {
	body := Results([]speech.Alternative{{Utterance: "new york", Confidence: 0.75, Instance: "<city>NYC</city>", Mode: "voice"}})
	r, err := nlsml.Parse(body, nlsml.Fraction)
	if err != nil || len(r.Interpretations) != 1 {
		t.Fatalf("%v in %s", err, body)
	}
	if in := r.Interpretations[0]; in.Input != "new york" || in.Confidence != 0.75 || in.Instance != "<city>NYC</city>" || in.Mode != "voice" {
		t.Errorf("%+v", in)
	}
	if !strings.HasPrefix(string(body), `<?xml version="1.0" encoding="UTF-8"?>`+"\n"+`<result xmlns="urn:ietf:params:xml:ns:mrcpv2">`) {
		t.Errorf("%s", body)
	}
}

// FuzzInline: whatever the grammar, what is accepted is a grammar.
func FuzzInline(f *testing.F) {
	f.Add(city)
	f.Add(`<grammar><rule id="a"><ruleref uri="http://h/x#y"/></rule></grammar>`)
	f.Fuzz(func(t *testing.T, text string) {
		n, err := xmltree.Parse([]byte(text))
		if err != nil || n.Name != "grammar" {
			return
		}
		g, err := Inline(n, "g1")
		if err != nil {
			return
		}
		if root, err := xmltree.Parse(g.Content); err != nil || root.Name != "grammar" {
			t.Errorf("%v in %s", err, g.Content)
		}
		Speak(n, Language)
	})
}
