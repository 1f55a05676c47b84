package grammar

import (
	"fmt"
	"strings"
)

// Tokens splits text into tokens: words for voice, keys for DTMF.
func (m Mode) Tokens(text string) []string {
	if m == Voice {
		return strings.Fields(strings.ToLower(strings.Map(dropPunctuation, text)))
	}
	var keys []string
	for _, field := range strings.Fields(strings.ToUpper(text)) {
		switch field {
		case "STAR":
			keys = append(keys, "*")
		case "POUND":
			keys = append(keys, "#")
		default:
			keys = append(keys, strings.Split(field, "")...)
		}
	}
	return keys
}

// dropPunctuation removes what a transcript may carry and no grammar says.
func dropPunctuation(r rune) rune {
	switch r {
	case '.', ',', '!', '?', ';', ':', '"':
		return ' '
	}
	return r
}

// Join puts matched tokens together as the utterance: keys without spaces.
func (m Mode) Join(tokens []string) string {
	if m == DTMF {
		return strings.Join(tokens, "")
	}
	return strings.Join(tokens, " ")
}

// spelling splits the text of a rule into tokens as they are written: words, and
// quoted strings whole (SRGS section 2.1).
func spelling(text string) ([]string, error) {
	var out []string
	for rest := text; ; {
		plain, quoted, open := strings.Cut(rest, `"`)
		out = append(out, strings.Fields(plain)...)
		if !open {
			return out, nil
		}
		token, after, closed := strings.Cut(quoted, `"`)
		if !closed {
			return nil, fmt.Errorf("the quote before %q is not closed", strings.TrimSpace(token))
		}
		if token = strings.Join(strings.Fields(token), " "); token != "" {
			out = append(out, token)
		}
		rest = after
	}
}
