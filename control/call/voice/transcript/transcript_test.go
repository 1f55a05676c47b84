package transcript

import (
	"slices"
	"testing"
)

func TestSpellings(t *testing.T) {
	tests := []struct {
		text, language string
		want           []string
	}{
		{"Yes, please.", "en-US", []string{"Yes, please."}},
		{"2079", "en-US", []string{"2079", "2 0 7 9", "two zero seven nine", "two oh seven nine"}},
		{"pin 27 49", "de-DE", []string{"pin 27 49", "pin 2 7 4 9"}},
		{"555-0100", "en", []string{"555-0100", "5 5 5 0 1 0 0", "five five five zero one zero zero", "five five five oh one oh oh", "555 0100"}},
		{"twenty-one", "en-GB", []string{"twenty-one", "twenty one"}},
		{"a1", "en-US", []string{"a1"}},
		{"", "", []string{""}},
	}
	for _, tt := range tests {
		got := Spellings(tt.text, tt.language)
		if !slices.Equal(got, tt.want) {
			t.Errorf("%q: %q, want %q", tt.text, got, tt.want)
		}
	}
}
