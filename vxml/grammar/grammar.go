// Package grammar reads SRGS 1.0 grammars in XML and ABNF form and matches input
// against them: DTMF key by key, and text word by word.
//
// A Grammar is compiled once, is immutable and is shared by calls. Link joins it
// with the grammars it refers to. A Matcher follows one input. What a match
// means is a Tree of rules and tags, which the script package evaluates.
package grammar

import (
	"fmt"
	"sync"
)

// Mode is what a grammar listens to.
type Mode uint8

// The modes of SRGS section 4.6.
const (
	Voice Mode = iota
	DTMF
)

func (m Mode) String() string {
	if m == DTMF {
		return "dtmf"
	}
	return "voice"
}

// Form is how a grammar document is written.
type Form uint8

// The forms of SRGS section 1.1.
const (
	XML Form = iota
	ABNF
)

// mediaType is the form's media type (SRGS appendix G).
func (f Form) mediaType() string {
	if f == ABNF {
		return "application/srgs"
	}
	return "application/srgs+xml"
}

// TagFormat says how the content of <tag> is read.
type TagFormat uint8

// The formats of SISR 1.0 section 2, and what a grammar that declares none has.
const (
	Unstated TagFormat = iota
	Script             // semantics/1.0
	Literals           // semantics/1.0-literals
)

// Error says what is wrong with a grammar. Unsupported tells a format that may
// be right but is not read here from a grammar that is wrong, and Limit one that is
// larger than is matched here.
type Error struct {
	URI         string
	Line        int
	Text        string
	Unsupported bool
	Limit       bool
	BadParams   bool // of a builtin grammar: they contradict each other, or are none
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.URI, e.Text)
	}
	return fmt.Sprintf("%s:%d: %s", e.URI, e.Line, e.Text)
}

// Grammar is one compiled grammar document.
type Grammar struct {
	URI       string
	Form      Form
	Mode      Mode
	Language  string
	Root      string // id of the root rule, or empty
	TagFormat TagFormat
	// Header holds the grammar's own <tag> elements, run before any rule's.
	Header []string

	rules map[string]*rule
	// externals are the documents that rules refer to, fragments removed.
	externals []string
	linked    sync.Map // of one that refers to no other: *Linked by the rule to match
}

// A rule is a small program, run by all threads of a match at once.
type rule struct {
	id      string
	line    int
	public  bool
	grammar *Grammar
	code    []inst
}

type op uint8

const (
	opToken   op = iota // match text
	opAny               // match any one token (GARBAGE)
	opSplit             // go on at each of to, in order of preference
	opCall              // run a rule of this grammar
	opForeign           // run a rule of another grammar
	opTag               // note a semantic tag
	opReturn            // the rule is complete
	opVoid              // never matches
)

type inst struct {
	op   op
	line int
	text string // word, tag, rule id, or URI of the foreign grammar
	rule string // foreign: id of its rule, empty for its root
	// show is, at a token's last word, the token as the grammar spells it, and
	// empty at the words before; of a foreign reference, the media type it states.
	show   string
	to     []int
	callee *rule // of opCall
	joins  bool  // more ways than one lead here
}
