// Package grammar reads SRGS 1.0 grammars in XML form and matches input against
// them: DTMF key by key, and text word by word.
//
// A Grammar is compiled once, is immutable and is shared by calls. Link joins it
// with the grammars it refers to. A Matcher follows one input. What a match
// means is a Tree of rules and tags, which the script package evaluates.
package grammar

import (
	"context"
	"fmt"
	"strings"
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

// TagFormat says how the content of <tag> is read.
type TagFormat uint8

// The formats of SISR 1.0 section 2, and what a grammar that declares none has.
const (
	Unstated TagFormat = iota
	Script             // semantics/1.0
	Literals           // semantics/1.0-literals
)

// Error says what is wrong with a grammar. Unsupported tells a format that may
// be right but is not read here from a grammar that is wrong.
type Error struct {
	URI         string
	Line        int
	Text        string
	Unsupported bool
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
	Mode      Mode
	Language  string
	Root      string // id of the root rule, or empty
	TagFormat TagFormat
	// Header holds the grammar's own <tag> elements, run before any rule's.
	Header []string

	rules map[string]*rule
	// externals are the documents that rules refer to, fragments removed.
	externals []string
}

// A rule is a small program, run by all threads of a match at once.
type rule struct {
	id      string
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
	text string // token, tag, rule id, or URI of the foreign grammar
	rule string // foreign: id of its rule, empty for its root
	to   []int
}

// Loader returns the compiled grammar of a URI.
type Loader func(ctx context.Context, uri string) (*Grammar, error)

// Linked is a grammar with everything it refers to.
type Linked struct {
	*Grammar
	root    *rule
	foreign map[string]*Grammar
}

// maxGrammars bounds how many documents one grammar may draw in.
const maxGrammars = 64

// Link loads the documents that g refers to, and theirs, and checks that every
// reference leads to a rule. The rule to match is g's root, or the one named.
func Link(ctx context.Context, g *Grammar, start string, load Loader) (*Linked, error) {
	l := &Linked{Grammar: g, foreign: map[string]*Grammar{g.URI: g}}
	if start == "" {
		start = g.Start()
	}
	if start == "" {
		return nil, &Error{URI: g.URI, Text: "the grammar names no root rule"}
	}
	if l.root = g.rules[start]; l.root == nil {
		return nil, &Error{URI: g.URI, Text: fmt.Sprintf("there is no rule %q", start)}
	}
	pending := []*Grammar{g}
	for len(pending) > 0 {
		next := pending[0]
		pending = pending[1:]
		for _, uri := range next.externals {
			if l.foreign[uri] != nil {
				continue
			}
			if len(l.foreign) == maxGrammars {
				return nil, &Error{URI: g.URI, Text: fmt.Sprintf("refers to more than %d grammars", maxGrammars)}
			}
			other, err := load(ctx, uri)
			if err != nil {
				return nil, err
			}
			l.foreign[uri] = other
			pending = append(pending, other)
		}
	}
	return l, l.check()
}

// Start is the rule to match when nobody names one: the root or, since authors
// leave it out where there is no choice, the only rule or the only public one.
func (g *Grammar) Start() string {
	if g.Root != "" {
		return g.Root
	}
	var public, all []string
	for id, r := range g.rules {
		all = append(all, id)
		if r.public {
			public = append(public, id)
		}
	}
	switch {
	case len(all) == 1:
		return all[0]
	case len(public) == 1:
		return public[0]
	}
	return ""
}

func (l *Linked) check() error {
	for _, g := range l.foreign {
		for _, r := range g.rules {
			for _, in := range r.code {
				if in.op == opForeign && l.lookup(in) == nil {
					return &Error{URI: g.URI, Text: fmt.Sprintf("rule %q refers to %s#%s, which is not a public rule there", r.id, in.text, in.rule)}
				}
			}
		}
	}
	return nil
}

// lookup resolves a foreign reference: a public rule, or the root (SRGS section 2.2.2).
func (l *Linked) lookup(in inst) *rule {
	g := l.foreign[in.text]
	if g == nil {
		return nil
	}
	if in.rule == "" {
		return g.rules[g.Root]
	}
	r := g.rules[in.rule]
	if r == nil || !r.public && in.rule != g.Root {
		return nil
	}
	return r
}

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
