package logexport

import (
	"regexp"
	"testing"
)

// However a pattern is looked for, it is found where its expression matches.
func TestPatternsMatchWhatTheirExpressionsDo(t *testing.T) {
	texts := []string{
		"", "error.badfetch.http.404: x", "an error.badfetch", "error.BADFETCH", "line\nerror.badfetch", "no such host", "dial: no such host.",
		"server misbehaving", "No Such Host", "ab", "abb", "b", "\xff", "�", "call ended", "call ended\n", "re-INVITE refused",
	}
	for _, expression := range []string{
		"", "^", "^error", `^error\.badfetch`, `^error\.badfetch.*(http|dns)`, "(?i)^error", "(?m)^error", "^error|host$", "no such host|server misbehaving",
		"(?i)no such host|server", "(no such host|server)", "^(call ended|re-INVITE refused)$", "^call ended$", "a|b", "ab|abb", "[ab]|c", "host", "^�", "�|x", "|ab",
	} {
		made, err := compile(expression)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range texts {
			if got, want := made.matches(text), regexp.MustCompile(expression).MatchString(text); got != want {
				t.Errorf("%q in %q: %v, not %v", expression, text, got, want)
			}
		}
	}
}
