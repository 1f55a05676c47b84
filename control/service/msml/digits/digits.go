// Package digits matches keys against the patterns of MSML's <collect> (RFC 5707
// section 9.7.5.2): specific digits, lengths with a return key, and the digit maps
// of MGCP (RFC 3435 section 2.1.5) and Megaco.
package digits

import (
	"fmt"
	"strconv"
	"strings"
)

// Verdict is what a pattern makes of the keys so far.
type Verdict uint8

// The verdicts.
const (
	No      Verdict = iota // they do not match, whatever follows
	Partial                // they may match yet
	Match                  // they match; more keys would not
	Enough                 // they match, and may match with more keys, too
)

// Pattern is a compiled pattern.
type Pattern struct {
	alternatives [][]step
	// Return, if not 0, ends the keys early or late, and is no part of what the
	// pattern demands of them.
	Return byte
}

// step is one position: the keys that fit, once or any number of times.
type step struct {
	keys string
	many bool
}

const all = "0123456789*#ABCD"

// Compile reads a pattern. Format is "moml+digits" (the default), "mgcp" or "megaco".
func Compile(pattern, format string) (*Pattern, error) {
	pattern = strings.ToUpper(strings.TrimSpace(pattern))
	if format == "mgcp" || format == "megaco" {
		return compileMap(pattern)
	}
	if strings.Contains(pattern, "=") {
		return compileLength(pattern)
	}
	steps, err := compileSteps(pattern)
	if err != nil {
		return nil, err
	}
	return &Pattern{alternatives: [][]step{steps}}, nil
}

// compileMap reads a digit map: alternatives between bars.
func compileMap(pattern string) (*Pattern, error) {
	p := &Pattern{}
	pattern = strings.TrimSuffix(strings.TrimPrefix(pattern, "("), ")")
	for _, one := range strings.Split(pattern, "|") {
		steps, err := compileSteps(one)
		if err != nil {
			return nil, err
		}
		p.alternatives = append(p.alternatives, steps)
	}
	return p, nil
}

// compileSteps reads keys, X for any digit, ranges in brackets, and the full stop
// that lets what precedes it come any number of times. Timers (T) are the matcher's
// own business.
func compileSteps(pattern string) ([]step, error) {
	var steps []step
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case strings.IndexByte(all, c) >= 0:
			steps = append(steps, step{keys: string(c)})
		case c == 'X':
			steps = append(steps, step{keys: "0123456789"})
		case c == 'T' || c == ' ':
		case c == '.' && len(steps) > 0:
			steps[len(steps)-1].many = true
		case c == '[':
			end := strings.IndexByte(pattern[i:], ']')
			if end < 0 {
				return nil, fmt.Errorf("pattern %q: bracket without an end", pattern)
			}
			keys, err := span(pattern[i+1 : i+end])
			if err != nil {
				return nil, err
			}
			steps = append(steps, step{keys: keys})
			i += end
		default:
			return nil, fmt.Errorf("pattern %q: %q is no key", pattern, c)
		}
	}
	if len(steps) == 0 {
		return nil, fmt.Errorf("pattern %q is empty", pattern)
	}
	return steps, nil
}

// span reads what is between brackets: 2-5, 135, 1-3X.
func span(text string) (string, error) {
	var keys strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == 'X':
			keys.WriteString("0123456789")
		case i+2 < len(text) && text[i+1] == '-' && c <= text[i+2]:
			for k := c; k <= text[i+2]; k++ {
				keys.WriteByte(k)
			}
			i += 2
		case strings.IndexByte(all, c) >= 0:
			keys.WriteByte(c)
		default:
			return "", fmt.Errorf("range %q: %q is no key", text, c)
		}
	}
	if keys.Len() == 0 {
		return "", fmt.Errorf("range %q is empty", text)
	}
	return keys.String(), nil
}

// longest bounds lengths.
const longest = 256

// compileLength reads a length: length=4, or min=1;max=5, and rtk=#.
func compileLength(pattern string) (*Pattern, error) {
	least, most := 1, longest
	p := &Pattern{}
	for part := range strings.FieldsFuncSeq(pattern, func(r rune) bool { return r == ';' || r == ' ' }) {
		name, value, _ := strings.Cut(part, "=")
		if name == "RTK" {
			if len(value) != 1 || strings.IndexByte(all, value[0]) < 0 {
				return nil, fmt.Errorf("pattern %q: the return key is no key", pattern)
			}
			p.Return = value[0]
			continue
		}
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 || n > longest {
			return nil, fmt.Errorf("pattern %q: %s is no length", pattern, part)
		}
		switch name {
		case "LENGTH":
			least, most = n, n
		case "MIN":
			least = n
		case "MAX":
			most = n
		default:
			return nil, fmt.Errorf("pattern %q: %s is unknown", pattern, name)
		}
	}
	if least > most || most == 0 {
		return nil, fmt.Errorf("pattern %q: no length fits", pattern)
	}
	keys := strings.ReplaceAll(all, string(rune(p.Return)), "")
	for n := least; n <= most; n++ {
		steps := make([]step, n)
		for i := range steps {
			steps[i].keys = keys
		}
		p.alternatives = append(p.alternatives, steps)
	}
	return p, nil
}

// Judge tells what the keys so far are. Where a return key has been pressed it ends
// them.
func (p *Pattern) Judge(keys string) Verdict {
	body, returned := keys, false
	if p.Return != 0 {
		if at := strings.IndexByte(keys, p.Return); at >= 0 {
			body, returned = keys[:at], true
			if at != len(keys)-1 {
				return No
			}
		}
	}
	best := No
	for _, steps := range p.alternatives {
		best = max(best, judge(steps, body))
	}
	// A complete match and a longer one that is still possible are both there.
	if best == Match && p.grows(body) {
		best = Enough
	}
	switch {
	case returned && (best == Match || best == Enough):
		return Match
	case returned:
		return No
	case best == Match && p.Return != 0:
		return Enough // the return key may follow
	}
	return best
}

// grows tells whether more keys may match as well.
func (p *Pattern) grows(keys string) bool {
	for _, steps := range p.alternatives {
		if v := judge(steps, keys); v == Partial || v == Enough {
			return true
		}
	}
	return false
}

// judge runs the steps as a nondeterministic automaton.
func judge(steps []step, keys string) Verdict {
	at := spread(steps, map[int]bool{0: true})
	for i := range len(keys) {
		next := map[int]bool{}
		for s := range at {
			if s < len(steps) && strings.IndexByte(steps[s].keys, keys[i]) >= 0 {
				if steps[s].many {
					next[s] = true
				} else {
					next[s+1] = true
				}
			}
		}
		at = spread(steps, next)
	}
	switch done := at[len(steps)]; {
	case done && len(at) > 1:
		return Enough
	case done:
		return Match
	case len(at) > 0:
		return Partial
	}
	return No
}

// spread adds the positions that are reached without a key.
func spread(steps []step, at map[int]bool) map[int]bool {
	for s := range len(steps) {
		if at[s] && steps[s].many {
			at[s+1] = true
		}
	}
	return at
}
