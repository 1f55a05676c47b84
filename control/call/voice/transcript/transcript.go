// Package transcript writes what an engine has written down in the ways in which a
// grammar may have it.
package transcript

import (
	"strings"
	"unicode"
)

// maxSpellings bounds the ways to write a transcript that are tried.
const maxSpellings = 8

// Spellings are the ways to write what was said in a language (BCP 47), the engine's
// own first: transcripts have digits together where grammars have one word for each.
func Spellings(text, language string) []string {
	words := strings.Fields(text)
	out := []string{strings.Join(words, " ")}
	add := func(change func(string) string) {
		var changed []string
		for _, w := range words {
			changed = append(changed, change(w))
		}
		text := strings.Join(strings.Fields(strings.Join(changed, " ")), " ")
		for _, known := range out {
			if strings.EqualFold(known, text) {
				return
			}
		}
		if len(out) < maxSpellings {
			out = append(out, text)
		}
	}
	add(func(w string) string { return separated(w, nil) })
	if base, _, _ := strings.Cut(strings.ToLower(language), "-"); base == "en" || base == "" {
		add(func(w string) string { return separated(w, englishDigits) })
		add(func(w string) string { return separated(w, oh) })
	}
	add(func(w string) string { return strings.ReplaceAll(w, "-", " ") })
	return out
}

var englishDigits = map[rune]string{
	'0': "zero", '1': "one", '2': "two", '3': "three", '4': "four",
	'5': "five", '6': "six", '7': "seven", '8': "eight", '9': "nine",
}

// oh is how a zero among digits is often said.
var oh = map[rune]string{
	'0': "oh", '1': "one", '2': "two", '3': "three", '4': "four",
	'5': "five", '6': "six", '7': "seven", '8': "eight", '9': "nine",
}

// separated writes a word of digits digit by digit, with the names they have.
func separated(word string, names map[rune]string) string {
	var out []string
	for _, r := range word {
		switch {
		case unicode.IsDigit(r):
			name := names[r]
			if name == "" {
				name = string(r)
			}
			out = append(out, name)
		case r == '-' || r == '.' || r == ',' || r == '(' || r == ')' || r == '+':
		default:
			return word
		}
	}
	if len(out) == 0 {
		return word
	}
	return strings.Join(out, " ")
}
