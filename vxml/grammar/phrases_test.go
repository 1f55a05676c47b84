package grammar

import (
	"slices"
	"testing"
)

func TestPhrases(t *testing.T) {
	const rules = `<rule id="r">i want <one-of><item>to fly<tag>1</tag> home</item><item>"New York"</item><item><ruleref uri="#c"/></item></one-of></rule>
		<rule id="c"><one-of><item>rome</item><item>oslo</item><item>rome</item></one-of> <item repeat="0-1"><ruleref uri="#r"/></item></rule>
		<rule id="unused">never</rule>`
	l := compile(t, rules, "")
	want := []string{"i want", "to fly home", "new york", "rome", "oslo"}
	if got := l.Phrases(100); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := l.Phrases(2); !slices.Equal(got, want[:2]) {
		t.Errorf("%q, want the first two", got)
	}
}
