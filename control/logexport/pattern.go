package logexport

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"
)

// pattern is a regular expression, and what tells without it of most texts whether they
// match: rules mostly ask how a text begins, or for words in it.
type pattern struct {
	expression *regexp.Regexp
	begin      string   // of every text that matches
	words      []string // a text that has one of them matches, and no other does; nil: the expression tells
}

func compile(text string) (p pattern, err error) {
	if p.expression, err = regexp.Compile(text); err != nil {
		return p, err
	}
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return p, err
	}
	if tree.Op == syntax.OpConcat && tree.Sub[0].Op == syntax.OpBeginText {
		p.begin, _ = literal(tree.Sub[1])
	}
	if tree.Op == syntax.OpAlternate {
		p.words = alternatives(tree.Sub)
	}
	return p, nil
}

// alternatives are what the expressions stand for if each stands for one text; nil: not all do.
func alternatives(all []*syntax.Regexp) (texts []string) {
	for _, one := range all {
		text, plain := literal(one)
		if !plain {
			return nil
		}
		texts = append(texts, text)
	}
	return texts
}

// literal is the text that an expression stands for; false: it stands for several, as
// one with the replacement character does, which octets that are no UTF-8 match.
func literal(e *syntax.Regexp) (text string, plain bool) {
	if e.Op != syntax.OpLiteral || e.Flags&syntax.FoldCase != 0 || slices.Contains(e.Rune, utf8.RuneError) {
		return "", false
	}
	return string(e.Rune), true
}

func (p pattern) matches(text string) bool {
	if p.words != nil {
		return slices.ContainsFunc(p.words, func(word string) bool { return strings.Contains(text, word) })
	}
	return strings.HasPrefix(text, p.begin) && p.expression.MatchString(text)
}
