// Package scan goes over a script's tokens before the engine's parser and compiler
// do. Those see no interrupt, call themselves for each level of a script, and go over
// some parts of it again, so what they will have to do is counted here, and bounded.
package scan

import (
	"strings"
)

const (
	maxNesting = 1000 // of brackets
	maxDepth   = 500  // of expressions and statements within each other
	// What some things count for: an arrow function, whose end is looked for again and
	// again; the tag of a template; a regular expression and what it is compiled to; and a private name.
	arrowDepth  = 20
	arrowWork   = 2 // beside its token, as with the next
	tagWork     = 1
	patternWork = 8
	privateWork = 5
)

// Excess is a bound that a script exceeds.
type Excess string

func (e Excess) Error() string { return string(e) }

// What a script may have too much of.
const (
	Nesting   Excess = "brackets are nested deeper than 1000"
	Depth     Excess = "expressions are nested deeper than 500"
	Work      Excess = "the script is more work to compile than is allowed: part it, or read large data with <data>"
	Big       Excess = "integers without bound are not accepted"
	Ambiguous Excess = "a regular expression behind } cannot be told from a division: put it in brackets"
)

// SyntaxError is text that is no script. Its line counts from the text's first, 1.
type SyntaxError struct {
	Line    int
	Message string
}

func (e *SyntaxError) Error() string { return e.Message }

// before is what stands in front of a token.
type before uint8

const (
	nothing before = iota // an operand is to come
	operand
	brace // which ends a block, or an operand
	perhaps
)

// scanner goes through the tokens of a script.
type scanner struct {
	text   string
	at     int
	last   before
	word   string // the last token, where that is one
	line   bool   // a line has ended behind the last token
	levels []level
	depth  int // of all levels
	hidden int // of what may be regular expressions or not
	work   int
	params int // what was within the brackets that ended last
	err    error
}

// Text says why a text must not even be parsed: an Excess, or a *SyntaxError where it
// is certain to be no script; nil when it may be. Work is how much it may be to parse
// and compile, in tokens of the usual kind, of which , and ; count nothing behind others.
func Text(text string, work int) error {
	if Nests(text) {
		return Nesting
	}
	s := &scanner{text: text, levels: make([]level, 1, 32)}
	if strings.HasPrefix(text, "#!") { // the engine takes it for a comment
		s.at = lineEnd(text)
	}
	for s.err == nil && s.token() {
		switch {
		case s.depth+s.hidden > maxDepth:
			s.err = Depth
		case s.work > work:
			s.err = Work
		}
	}
	if s.err == nil && len(s.levels) > 1 {
		s.wrong("a bracket or template is not closed")
	}
	return s.err
}

// wrong refuses what the parser would go on behind in its own way.
func (s *scanner) wrong(message string) {
	if s.err == nil {
		s.err = &SyntaxError{1 + strings.Count(s.text[:min(s.at, len(s.text))], "\n"), message}
	}
}

// Nests tells whether brackets in text are nested too deeply. Those in strings and
// comments count too, which does no harm at such a depth.
func Nests(text string) bool {
	depth, deepest := 0, 0
	for i := range len(text) {
		switch text[i] {
		case '(', '[', '{':
			depth++
			deepest = max(deepest, depth)
		case ')', ']', '}':
			depth = max(depth-1, 0)
		}
	}
	return deepest > maxNesting
}

func (s *scanner) top() *level { return &s.levels[len(s.levels)-1] }

// token goes over one token, and tells whether there was any.
func (s *scanner) token() bool {
	s.blank()
	if s.at >= len(s.text) {
		return false
	}
	c := s.text[s.at]
	switch c {
	case ',', ';':
		if s.last == nothing { // a hole in a list, or a statement that is empty
			s.work++
		}
	case '#':
		s.work += privateWork
	default:
		s.work++
	}
	switch {
	case wordly(c):
		s.named()
	case c >= '0' && c <= '9' || c == '.' && s.at+1 < len(s.text) && digit(s.text[s.at+1]):
		s.number()
	case c == '"' || c == '\'':
		s.operand()
		s.quoted(c)
	case c == '`':
		if s.last == operand {
			s.work += tagWork
		}
		s.deeper(1)
		s.at++
		s.template()
	case strings.IndexByte("([{", c) >= 0:
		s.open(c)
	case strings.IndexByte(")]}", c) >= 0:
		s.close()
	default:
		s.punctuation(c)
	}
	return true
}
