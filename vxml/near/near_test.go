package near_test

import (
	"testing"

	"mcp/vxml/near"
)

func TestHint(t *testing.T) {
	tests := []struct {
		name  string
		names []string
		want  string
	}{
		{"nomach", []string{"noinput", "nomatch"}, `: did you mean "nomatch"?`},
		{"mian", []string{"other", "main"}, `: did you mean "main"?`},
		{"Main", []string{"main"}, `: did you mean "main"?`},
		{"mains", []string{"main"}, `: did you mean "main"?`},
		{"maim", []string{"main"}, `: did you mean "main"?`},
		{"acount_no", []string{"account_nr"}, ": write \"account_nr\""}, // two places
		{"error.badfech", []string{"error.badfetch"}, `: did you mean "error.badfetch"?`},
		{"error.semantics", []string{"error.semantic"}, `: did you mean "error.semantic"?`},
		{"confirmaiton", []string{"confirmation"}, `: did you mean "confirmation"?`},
		{"confirm", []string{"confirmed"}, `: did you mean "confirmed"?`},
		{"help", []string{"helped"}, ": write \"helped\""}, // short words are many
		{"a", []string{"b", "", "b", "c"}, `: write one of "b", "c"`},
		{"x", []string{""}, ""},
		{"x", []string{"a", "b", "c", "d", "e", "f"}, ""},
		{"straße", []string{"strasse"}, ": write \"strasse\""},
	}
	for _, tt := range tests {
		if got := near.Hint(tt.name, tt.names); got != tt.want {
			t.Errorf("%q among %q: %q, want %q", tt.name, tt.names, got, tt.want)
		}
	}
}
