// Package property holds VoiceXML properties (VoiceXML 2.0 section 6.3): named
// settings, set at a document, a dialog or a form item and seen by everything
// within.
package property

import (
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Set is the properties set at one place, within those of the place around it.
type Set struct {
	outer  *Set
	values map[string]string
	all    atomic.Pointer[map[string]string] // once somebody has asked
}

// Defaults are the platform's own values.
func Defaults() *Set {
	return &Set{values: map[string]string{
		"timeout": "5s", "bargein": "true", "bargeintype": "speech",
		"interdigittimeout": "3s", "termtimeout": "0s", "termchar": "#",
		"confidencelevel": "0.5", "sensitivity": "0.5", "speedvsaccuracy": "0.5",
		"completetimeout": "1s", "incompletetimeout": "1s", "maxspeechtimeout": "20s",
		"maxnbest": "1", "inputmodes": "dtmf voice", "universals": "none",
		"fetchtimeout": "10s",
	}}
}

// Within opens a set inside s.
func (s *Set) Within(values map[string]string) *Set {
	if len(values) == 0 {
		return s
	}
	return &Set{outer: s, values: values}
}

// Layer is the properties that one place of a page sets, for all who run the page. The nil
// Layer sets none. None is set any more once one is asked for.
type Layer struct {
	values map[string]string
	last   atomic.Pointer[Set] // that it became
}

// Set sets a property.
func (l *Layer) Set(name, value string) {
	if l.values == nil {
		l.values = make(map[string]string)
	}
	l.values[name] = value
}

// Within is the set of the layer inside another: the same one, as long as the other is.
func (l *Layer) Within(outer *Set) *Set {
	if l == nil {
		return outer
	}
	if s := l.last.Load(); s != nil && s.outer == outer {
		s.All() // who asks again will ask often
		return s
	}
	s := &Set{outer: outer, values: l.values}
	l.last.Store(s)
	return s
}

// Lookup returns the value in force.
func (s *Set) Lookup(name string) (string, bool) {
	for ; s != nil; s = s.outer {
		if all := s.all.Load(); all != nil {
			v, ok := (*all)[name]
			return v, ok
		}
		if v, ok := s.values[name]; ok {
			return v, true
		}
	}
	return "", false
}

// Get returns the value in force, or "".
func (s *Set) Get(name string) string {
	v, _ := s.Lookup(name)
	return v
}

// All returns every property in force. Who gets it may not change it.
func (s *Set) All() map[string]string {
	if known := s.all.Load(); known != nil {
		return *known
	}
	out := maps.Clone(s.values)
	for outer := s.outer; outer != nil; outer = outer.outer {
		for name, value := range outer.values {
			if _, given := out[name]; !given {
				out[name] = value
			}
		}
	}
	s.all.Store(&out)
	return out
}

// Duration returns a time designation, such as 5s or 200ms; the platform's
// default when the page's value is none.
func (s *Set) Duration(name string) time.Duration { return read(s, name, ParseDuration) }

// Float returns a number between 0 and 1.
func (s *Set) Float(name string) float64 { return read(s, name, fraction) }

// Int returns a positive integer.
func (s *Set) Int(name string) int { return read(s, name, positive) }

// read is the innermost value that can be read, or the zero one.
func read[T any](s *Set, name string, parse func(string) (T, error)) (none T) {
	for ; s != nil; s = s.outer {
		text, ok := s.Lookup(name)
		if !ok {
			break
		}
		if v, err := parse(text); err == nil {
			return v
		}
	}
	return none
}

var errNumber = errors.New("out of range")

func fraction(text string) (float64, error) {
	f, err := strconv.ParseFloat(text, 64)
	if err == nil && !(f >= 0 && f <= 1) {
		err = errNumber
	}
	return f, err
}

func positive(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err == nil && n <= 0 {
		err = errNumber
	}
	return n, err
}

// Bool returns a boolean.
func (s *Set) Bool(name string) bool { return s.Get(name) == "true" }

// Lists tells whether a list property, such as inputmodes, names word.
func (s *Set) Lists(name, word string) bool {
	for w := range strings.FieldsSeq(s.Get(name)) {
		if w == word {
			return true
		}
	}
	return false
}

var errNoTime = errors.New("\"\" is not a time such as 5s or 200ms")

// ParseDuration reads a CSS2 time designation (VoiceXML 2.0 section 6.5); a
// bare number, which older pages write, counts seconds.
func ParseDuration(text string) (time.Duration, error) {
	if text = strings.TrimSpace(text); text == "" {
		return 0, errNoTime // made once: most elements name none
	}
	unit := time.Second
	number := text
	if n, ok := strings.CutSuffix(text, "ms"); ok {
		unit, number = time.Millisecond, n
	} else if n, ok := strings.CutSuffix(text, "s"); ok {
		number = n
	}
	f, err := strconv.ParseFloat(number, 64)
	if err != nil || !(f >= 0 && f <= 1e6) || strings.Trim(number, "+.0123456789") != "" {
		return 0, fmt.Errorf("%q is not a time such as 5s or 200ms", text)
	}
	return time.Duration(f * float64(unit)), nil
}
