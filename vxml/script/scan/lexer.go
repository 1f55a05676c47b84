package scan

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// blank skips space and comments.
func (s *scanner) blank() {
	s.line = false
	for s.at < len(s.text) {
		rest := s.text[s.at:]
		switch {
		case strings.HasPrefix(rest, "//"):
			s.at += lineEnd(rest)
		case strings.HasPrefix(rest, "/*"):
			n := strings.Index(rest[2:], "*/")
			if n < 0 {
				s.wrong("a comment is not closed")
				n = len(rest) - 4
			}
			s.line = s.line || strings.ContainsAny(rest[:n+4], lineEnds)
			s.at += n + 4
		default:
			n := space(rest)
			if n == 0 {
				return
			}
			s.line = s.line || strings.ContainsAny(rest[:n], lineEnds)
			s.at += n
		}
	}
}

// lineEnds are the characters that end a line (ECMA-262 section 12.3).
const lineEnds = "\n\r\u2028\u2029"

// lineEnd is how far text goes until its first line ends.
func lineEnd(text string) int {
	if i := strings.IndexAny(text, lineEnds); i >= 0 {
		return i
	}
	return len(text)
}

// letter tells whether a word goes on.
func (s *scanner) letter() bool {
	if s.at >= len(s.text) {
		return false
	}
	c := s.text[s.at]
	return (wordly(c) || digit(c)) && (c < utf8.RuneSelf || space(s.text[s.at:]) == 0)
}

// space is the size of the white space or end of a line that text begins with.
func space(text string) int {
	c, n := utf8.DecodeRuneInString(text)
	if unicode.IsSpace(c) || c == '\ufeff' {
		return n
	}
	return 0
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

func wordly(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '$' || c == '#' || c == '\\' || c >= utf8.RuneSelf
}

// Words that are not just operands.
const (
	heads     = " if for while with do else try catch finally "
	operators = " new typeof void delete in instanceof extends return throw case default class function var const "
	doubtful  = " yield await async of let static get set "
)

func oneOf(words, word string) bool { return strings.Contains(words, " "+word+" ") }

func (s *scanner) named() {
	from := s.at
	for s.letter() {
		n := escape(s.text[s.at:])
		if n == 0 {
			s.wrong("an escape in a name is not \\uHHHH or \\u{H}")
			return
		}
		s.at += n
	}
	word := s.text[from:s.at]
	member := s.word == "."
	switch {
	case member:
		s.last, s.word = operand, ""
		return
	case oneOf(heads, word):
		s.head(word)
	case word == "case" || word == "default":
		s.boundary()
		s.deeper(1)
		s.last = nothing
	case oneOf(operators, word):
		if s.last != nothing && word != "in" && word != "instanceof" && word != "extends" {
			s.boundary()
		}
		s.deeper(1)
		s.last = nothing
	case oneOf(doubtful, word):
		if s.last == brace || s.last == operand && s.line {
			s.boundary()
		}
		s.deeper(1)
		s.last = perhaps
	default:
		s.operand()
	}
	s.word = word
}

func (s *scanner) punctuation(c byte) {
	switch {
	case c == '/' && s.last != operand:
		s.pattern()
		return
	case c == ';':
		s.boundary()
	case c == ',':
		s.over()
	case c == '=' && strings.HasPrefix(s.text[s.at:], "=>"):
		s.arrow()
		return
	case strings.HasPrefix(s.text[s.at:], "++"), strings.HasPrefix(s.text[s.at:], "--"):
		s.step()
		return
	default:
		s.deeper(1)
	}
	s.at++
	s.last, s.word = nothing, string(c)
	// The second and third character of an operator add nothing.
	for s.at < len(s.text) && strings.IndexByte("=&|?<>*", c) >= 0 && s.text[s.at] == c || s.at < len(s.text) && s.text[s.at] == '=' && strings.IndexByte("!<>=+-*/%&|^?", c) >= 0 {
		if s.text[s.at] == '=' && strings.HasPrefix(s.text[s.at:], "=>") {
			return
		}
		s.at++
	}
	if c == '?' && s.at < len(s.text) && s.text[s.at] == '.' && !(s.at+1 < len(s.text) && digit(s.text[s.at+1])) {
		s.at++
		s.word = "."
	}
}

// arrow takes in =>. The parser reads the parameters again that it took for an
// expression, so what is in them costs twice for each such function around it.
func (s *scanner) arrow() {
	s.work += arrowWork
	if s.word == ")" {
		s.work += s.params
	}
	s.deeper(arrowDepth)
	s.at += 2
	s.last, s.word = nothing, "=>"
}

// step takes in ++ and --, which behind an operand end it.
func (s *scanner) step() {
	s.deeper(1)
	s.at += 2
	if s.last != operand || s.line {
		s.last = nothing
	}
	s.word = ""
}

func (s *scanner) number() {
	s.operand()
	from := s.at
	s.numeral()
	// The compiler computes with integers without bound, which can take it minutes.
	if big := s.at < len(s.text) && s.text[s.at] == 'n'; big {
		s.at++
		if !s.letter() {
			s.err = Big
			return
		}
	}
	if s.letter() {
		for s.letter() {
			s.at++
		}
		s.wrong("a number ends in letters: " + s.text[from:min(s.at, from+20)])
	}
}

// numeral goes over a numeral (ECMA-262 section 12.9.3) but for what makes it an integer
// without bound; over one that is malformed, up to where it is.
func (s *scanner) numeral() {
	const decimal = "0123456789_"
	if s.text[s.at] == '0' && s.at+1 < len(s.text) {
		if of := digitsOf(s.text[s.at+1]); of != "" {
			s.at++
			if begin := s.at; !s.run(begin+1, of) {
				s.at = begin
			}
			return
		}
	}
	s.run(s.at, decimal)
	if s.at < len(s.text) && s.text[s.at] == '.' {
		s.run(s.at+1, decimal)
	}
	if s.at < len(s.text) && s.text[s.at]|0x20 == 'e' {
		begin, next := s.at, s.at+1
		if next < len(s.text) && (s.text[next] == '+' || s.text[next] == '-') {
			next++
		}
		if !s.run(next, decimal) {
			s.at = begin
		}
	}
}

// digitsOf are those of the base that a letter behind 0 stands for.
func digitsOf(letter byte) string {
	switch letter | 0x20 {
	case 'x':
		return "0123456789abcdefABCDEF_"
	case 'o':
		return "01234567_"
	case 'b':
		return "01_"
	}
	return ""
}

// run goes over the digits from a place on, and tells whether there are any.
func (s *scanner) run(from int, digits string) bool {
	for s.at = from; s.at < len(s.text) && strings.IndexByte(digits, s.text[s.at]) >= 0; {
		s.at++
	}
	return s.at > from
}

// escape is the size of the character of a name that text begins with, of what stands
// for one (ECMA-262 section 12.7), or 0 where that is malformed.
func escape(text string) int {
	if text[0] != '\\' {
		return 1
	}
	return len(escapes.FindString(text))
}

var escapes = regexp.MustCompile(`^\\u(?:[\da-fA-F]{4}|\{[\da-fA-F]+\})`)

// quoted skips a string.
func (s *scanner) quoted(quote byte) {
	for s.at++; s.at < len(s.text); s.at++ {
		switch s.text[s.at] {
		case '\\':
			if s.at++; strings.HasPrefix(s.text[s.at:], "\r\n") {
				s.at++
			}
		case quote:
			s.at++
			return
		case '\n', '\r':
			s.wrong("a text is not closed on its line")
			return
		}
	}
	s.at = min(s.at, len(s.text))
	s.wrong("a text is not closed")
}

// template skips the text of a template up to its end or a part that is a script.
func (s *scanner) template() {
	for ; s.at < len(s.text); s.at++ {
		switch {
		case s.text[s.at] == '\\':
			s.at++
		case s.text[s.at] == '`':
			s.at++
			s.last, s.word = operand, ""
			return
		case strings.HasPrefix(s.text[s.at:], "${"):
			s.at += 2
			s.push(level{open: '`'})
			return
		}
	}
	s.at = min(s.at, len(s.text))
	s.wrong("a template is not closed")
}

// pattern skips a regular expression, or what may be one.
func (s *scanner) pattern() {
	from, class := s.at, false
	for s.at++; s.at < len(s.text); s.at++ {
		c := s.text[s.at]
		switch {
		case c == '\\':
			s.at++
		case c == '[':
			class = true
		case c == ']':
			class = false
		}
		if c == '/' && !class || c == '\n' || c == '\r' {
			break
		}
	}
	if s.at >= len(s.text) || s.text[s.at] != '/' || strings.ContainsAny(s.text[from:s.at], lineEnds) {
		if s.last == nothing {
			s.wrong("a regular expression is not closed on its line")
		}
	}
	s.at = min(s.at+1, len(s.text))
	s.work += patternWork + compiled(s.text[from:s.at])/4
	if s.last == brace || s.last == perhaps {
		text := s.text[from:s.at]
		if strings.ContainsAny(text, "\"'`") {
			s.err = Ambiguous
		}
		s.hidden += len(text)
	}
	s.last = nothing // so that operand sees no boundary
	s.operand()
}
