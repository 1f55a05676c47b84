package vxml

import (
	"time"

	"mcp/vxml/grammar"
	"mcp/vxml/property"
)

// keypad matches key presses against the active DTMF grammars (VoiceXML 2.0
// appendix D).
type keypad struct {
	termchar    string
	interdigit  time.Duration
	termination time.Duration
	grammars    []*active
	matchers    []*grammar.Matcher
	keys        []string
}

// verdict is what the keypad makes of a key: wait so long for the next one, and
// then it is decided; or it is decided.
type verdict struct {
	decided bool
	wait    time.Duration
}

func newKeypad(all []*active, set *property.Set) *keypad {
	k := &keypad{
		termchar:    set.Get("termchar"),
		interdigit:  set.Duration("interdigittimeout"),
		termination: set.Duration("termtimeout"),
	}
	for _, a := range all {
		if a.mode == grammar.DTMF {
			k.grammars = append(k.grammars, a)
			k.matchers = append(k.matchers, a.linked.NewMatcher())
		}
	}
	return k
}

// press takes a key. The terminating key ends the input, unless a grammar has
// use for it.
func (k *keypad) press(key string) verdict {
	if key == k.termchar && !k.accepts(key) {
		return verdict{decided: true}
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
		return verdict{wait: k.interdigit}
	case matched && k.termination > 0 && k.termchar != "":
		return verdict{wait: k.termination}
	}
	return verdict{decided: true}
}

func (k *keypad) accepts(key string) bool {
	for _, m := range k.matchers {
		if m.Accepts(key) {
			return true
		}
	}
	return false
}

// result is the input when the keys so far match, and nil when they do not. Of
// several grammars the one that takes precedence wins.
func (k *keypad) result() *input {
	for i, m := range k.matchers {
		tree := m.Tree()
		if tree == nil || len(k.keys) == 0 {
			continue
		}
		return &input{alternatives: []alternative{{
			active: k.grammars[i], tree: tree, mode: "dtmf", confidence: 1, utterance: grammar.DTMF.Join(k.keys),
		}}}
	}
	return nil
}
