package script

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/dop251/goja"
	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/parser"
)

// The engine's parser and compiler see no interrupt, call themselves for each level
// of a script, and go over some parts of it again. So a script's tokens are counted
// before it is parsed.
const (
	maxNesting = 1000   // of brackets
	maxDepth   = 500    // of expressions and statements within each other
	maxWork    = 80_000 // tokens that the parser goes over, but for , and ;
	maxNames   = 10_000 // that one script declares
	// What some things count for: an arrow function, whose end is looked for again and
	// again; a regular expression and each two characters of it, which are compiled; and
	// a private name.
	arrowDepth  = 20
	patternWork = 8
	privateWork = 5
)

var (
	errNesting   = fmt.Errorf("brackets are nested deeper than %d", maxNesting)
	errDepth     = fmt.Errorf("expressions are nested deeper than %d", maxDepth)
	errWork      = fmt.Errorf("the script takes the parser more than %d steps: part it, or read large data with <data>", maxWork)
	errNames     = fmt.Errorf("the script declares more than %d names", maxNames)
	errBig       = errors.New("integers without bound are not accepted")
	errAmbiguous = errors.New("a regular expression behind } cannot be told from a division: put it in brackets")
)

// before is what stands in front of a token.
type before uint8

const (
	nothing before = iota // an operand is to come
	operand
	brace // which ends a block, or an operand
	perhaps
)

// level is a bracket that is open.
type level struct {
	open    byte
	heads   int  // of statements within each other: if, for, else, labels
	pending int  // operators of the expression so far
	work    int  // tokens so far
	heading bool // it belongs to if, for, while or with
	ended   bool // a statement has, unless else follows
}

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

// parse reads a script, unless that might not end. Source maps that it names are left
// alone: the engine would open any file of the machine.
func parse(name, text string) (*ast.Program, error) {
	if err := unfit(text); err != nil {
		return nil, err
	}
	return goja.Parse(name, text, parser.WithDisableSourceMaps)
}

// excessive tells whether an error is that a script exceeds one of the bounds above.
func excessive(err error) bool {
	return errors.Is(err, errNesting) || errors.Is(err, errDepth) || errors.Is(err, errWork) || errors.Is(err, errNames) || errors.Is(err, errBig) || errors.Is(err, errAmbiguous)
}

// unfit says why a text must not even be parsed; nil when it may be.
func unfit(text string) error {
	if nesting(text) > maxNesting {
		return errNesting
	}
	s := &scanner{text: text, levels: make([]level, 1, 32)}
	if strings.HasPrefix(text, "#!") { // the engine takes it for a comment
		s.at = lineEnd(text)
	}
	for s.err == nil && s.token() {
		switch {
		case s.depth+s.hidden > maxDepth:
			s.err = errDepth
		case s.work > maxWork:
			s.err = errWork
		}
	}
	return s.err
}

// nesting is the depth of brackets in text. Those in strings and comments count
// too, which does no harm at such a depth.
func nesting(text string) int {
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
	return deepest
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

// blank skips space and comments, all that the engine takes for such.
func (s *scanner) blank() {
	s.line = false
	for s.at < len(s.text) {
		rest := s.text[s.at:]
		c, size := utf8.DecodeRuneInString(rest)
		switch {
		case strings.ContainsRune(newlines, c):
			s.at += size
			s.line = true
		case isSpace(c):
			s.at += size
		case strings.HasPrefix(rest, "//"):
			s.at += lineEnd(rest)
		case strings.HasPrefix(rest, "/*"):
			n := 2 + ends(rest[2:], "*/")
			s.line = s.line || strings.ContainsAny(rest[:n], newlines)
			s.at += n
		default:
			return
		}
	}
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

func wordly(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '$' || c == '#' || c == '\\' || c >= utf8.RuneSelf
}

// deeper counts what makes the tree of the script deeper where it stands.
func (s *scanner) deeper(by int) {
	s.continues()
	s.top().pending += by
	s.depth += by
}

// continues settles whether the last statement has ended: behind it, else begins no other.
func (s *scanner) continues() {
	if t := s.top(); t.ended {
		t.ended = false
		s.depth -= t.heads
		t.heads = 0
	}
}

// over ends an expression.
func (s *scanner) over() {
	t := s.top()
	s.depth -= t.pending
	t.pending = 0
}

// boundary ends a statement. Those that it stands in may go on, with else.
func (s *scanner) boundary() {
	s.over()
	s.top().ended = true
}

// operand takes in a token that is one. Two in a row belong to two statements.
func (s *scanner) operand() {
	if s.last != nothing {
		s.boundary()
	}
	s.continues()
	s.last, s.word = operand, ""
}

// Words that are not just operands.
const (
	heads     = " if for while with do else try catch finally "
	operators = " new typeof void delete in instanceof extends return throw case default class function var const "
	doubtful  = " yield await async of let static get set "
)

func oneOf(words, word string) bool { return strings.Contains(words, " "+word+" ") }

// letter is how long the character is that goes on with a word; 0: none does.
func (s *scanner) letter() int {
	if s.at == len(s.text) {
		return 0
	}
	if c := s.text[s.at]; c < utf8.RuneSelf {
		if wordly(c) || digit(c) {
			return 1
		}
		return 0
	}
	c, size := utf8.DecodeRuneInString(s.text[s.at:])
	if strings.ContainsRune(newlines, c) || isSpace(c) {
		return 0
	}
	return size
}

func (s *scanner) named() {
	from := s.at
	for n := s.letter(); n > 0; n = s.letter() {
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

// head begins a statement that has others in it.
func (s *scanner) head(word string) {
	t := s.top()
	if s.last != nothing {
		s.boundary()
	}
	if word == "else" {
		t.ended = false
	}
	s.continues()
	t.heads++
	s.depth++
	s.last = nothing
}

func (s *scanner) number() {
	s.operand()
	from := s.at
	for n := s.letter(); n > 0 || s.at < len(s.text) && s.text[s.at] == '.'; n = s.letter() {
		s.at += max(n, 1)
	}
	// The compiler computes with integers without bound, which can take it minutes.
	if s.text[s.at-1] == 'n' && s.at > from+1 {
		s.err = errBig
	}
}

// quoted skips a string.
func (s *scanner) quoted(quote byte) {
	for s.at++; s.at < len(s.text); s.at++ {
		switch s.text[s.at] {
		case '\\':
			if s.at++; strings.HasPrefix(s.text[s.at:], "\r\n") {
				s.at++
			}
		case quote, '\n', '\r':
			s.at++
			return
		}
	}
	s.at = min(s.at, len(s.text))
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
}

func (s *scanner) push(l level) {
	l.work = s.work
	s.levels = append(s.levels, l)
	s.depth++
	s.last, s.word = nothing, ""
}

func (s *scanner) open(c byte) {
	if c == '{' && s.last == brace {
		s.boundary()
	}
	heading := c == '(' && s.last == nothing && oneOf(" if for while with await ", s.word)
	s.deeper(1)
	s.at++
	s.push(level{open: c, heading: heading})
}

func (s *scanner) close() {
	c := s.text[s.at]
	s.at++
	if len(s.levels) == 1 {
		s.last, s.word = operand, ""
		return // what is wrong is for the parser to say
	}
	t := *s.top()
	s.levels = s.levels[:len(s.levels)-1]
	s.depth -= t.heads + t.pending + 1
	s.params = s.work - t.work
	switch {
	case t.open == '`' && c == '}':
		s.template()
		return
	case c == '}':
		s.last = brace
	case t.heading:
		s.over()
		s.last = nothing
	default:
		s.last = operand
	}
	s.word = string(c)
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
			s.at++
			break
		}
	}
	s.at = min(s.at, len(s.text))
	s.work += patternWork + (s.at-from)*patternWork/2
	if s.last == brace || s.last == perhaps {
		text := s.text[from:s.at]
		if strings.ContainsAny(text, "\"'`") {
			s.err = errAmbiguous
		}
		s.hidden += len(text)
	}
	s.last = nothing // so that operand sees no boundary
	s.operand()
}
