// Package near finds the name that an author probably meant.
package near

import (
	"fmt"
	"slices"
	"strings"
)

// shown is how many names are listed where none is near.
const shown = 5

// Meant is the first of the names that are spelt much like name, or "".
func Meant(name string, names []string) string {
	for _, n := range names {
		if n != "" && n != name && alike([]rune(name), []rune(n)) {
			return n
		}
	}
	return ""
}

// Hint ends a message that name is not among the names: with the one that was
// probably meant, or else with those there are, if they are few.
func Hint(name string, names []string) string {
	if meant := Meant(name, names); meant != "" {
		return fmt.Sprintf(": did you mean %q?", meant)
	}
	var quoted []string
	for _, n := range names {
		if n != "" {
			quoted = append(quoted, fmt.Sprintf("%q", n))
		}
	}
	slices.Sort(quoted)
	quoted = slices.Compact(quoted)
	if len(quoted) == 0 || len(quoted) > shown {
		return ""
	}
	if len(quoted) > 1 {
		return ": write one of " + strings.Join(quoted, ", ")
	}
	return ": write " + quoted[0]
}

// alike tells whether two words are the same but for their case, or differ in one
// place only: by a letter or, when they are long, two; or by two letters that
// changed places.
func alike(a, b []rune) bool {
	if strings.EqualFold(string(a), string(b)) {
		return true
	}
	shorter := min(len(a), len(b))
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	switch apart := max(len(a), len(b)); {
	case len(a) == 2 && len(b) == 2 && a[0] == b[1] && a[1] == b[0]:
		return shorter > 2
	case apart == 1:
		return shorter > 2
	default:
		return apart == 2 && shorter > 6
	}
}
