// Package keypad matches key presses against DTMF grammars and times them
// (VoiceXML 2.0 appendix D).
package keypad

import (
	"time"

	"mcp/vxml/grammar"
	"mcp/vxml/property"
)

// Keypad is one input of keys. The zero value has no grammar.
type Keypad struct {
	termchar    string
	interdigit  time.Duration
	termination time.Duration
	grammars    []*grammar.Linked
	matchers    []*grammar.Matcher // of them; none before the first key
	keys        []string
}

// Verdict is what the keypad makes of a key: wait so long for the next one, and
// then it is decided; or it is decided.
type Verdict struct {
	Decided bool
	Wait    time.Duration
}

// New makes a keypad for the grammars, the ones that take precedence first.
func New(grammars []*grammar.Linked, set *property.Set) Keypad {
	return Keypad{
		grammars:    grammars,
		termchar:    set.Get("termchar"),
		interdigit:  set.Duration("interdigittimeout"),
		termination: set.Duration("termtimeout"),
	}
}

// Deaf tells whether no key can match anything.
func (k *Keypad) Deaf() bool { return len(k.grammars) == 0 }

// Begun tells whether a key has been taken.
func (k *Keypad) Begun() bool { return len(k.keys) > 0 }

// Forget begins anew.
func (k *Keypad) Forget() { k.keys, k.matchers = nil, nil }

// Press takes a key. The terminating key ends the input, unless a grammar has
// use for it.
func (k *Keypad) Press(key string) Verdict {
	if k.matchers == nil {
		k.begin()
	}
	if key == k.termchar && !k.accepts(key) {
		return Verdict{Decided: true}
	}
	k.keys = append(k.keys, key)
	more, matched := false, false
	for _, m := range k.matchers {
		switch m.Feed(key) {
		case grammar.Partial:
			more = true
		case grammar.Extendable:
			more, matched = true, true
		case grammar.Complete:
			matched = true
		}
	}
	switch {
	case more:
		return Verdict{Wait: k.interdigit}
	case matched && k.termination > 0 && k.termchar != "":
		return Verdict{Wait: k.termination}
	}
	return Verdict{Decided: true}
}

func (k *Keypad) begin() {
	k.matchers = make([]*grammar.Matcher, len(k.grammars))
	for i, g := range k.grammars {
		k.matchers[i] = g.NewMatcher()
	}
}

func (k *Keypad) accepts(key string) bool {
	for _, m := range k.matchers {
		if m.Accepts(key) {
			return true
		}
	}
	return false
}

// Result is the first grammar that the keys so far match, by its place in the
// list, and its reading; nil when none does.
func (k *Keypad) Result() (int, *grammar.Tree) {
	if !k.Begun() {
		return 0, nil
	}
	for i, m := range k.matchers {
		if tree := m.Tree(); tree != nil {
			return i, tree
		}
	}
	return 0, nil
}

// Keys are the keys pressed, as a grammar writes them.
func (k *Keypad) Keys() string { return grammar.DTMF.Join(k.keys) }
