package srgs

// step is one event of a derivation, kept as a list that grows at its head so
// that a search can abandon a branch at no cost.
type step struct {
	before *step
	kind   stepKind
	text   string // word, rule name or tag
}

type stepKind uint8

const (
	stepWord stepKind = iota
	stepEnter
	stepLeave
	stepTag
)

// matcher searches for a derivation of a list of words.
type matcher struct {
	rules map[string]node
	words []string
}

// next is called with every place an expansion can end. It returns true to
// stop the search.
type next func(at int, trail *step) bool

// derive returns the steps of the first derivation that takes all the words,
// alternatives tried in document order.
func (g *Grammar) derive(words []string) ([]step, bool) {
	m := &matcher{rules: g.rules, words: words}
	var found *step
	ok := m.match(reference(g.root), 0, nil, func(at int, trail *step) bool {
		found = trail
		return at == len(words)
	})
	if !ok {
		return nil, false
	}
	var steps []step
	for s := found; s != nil; s = s.before {
		steps = append(steps, *s)
	}
	for i, j := 0, len(steps)-1; i < j; i, j = i+1, j-1 {
		steps[i], steps[j] = steps[j], steps[i]
	}
	return steps, true
}

func (m *matcher) match(n node, at int, trail *step, then next) bool {
	switch n := n.(type) {
	case token:
		if at == len(m.words) || m.words[at] != string(n) {
			return false
		}
		return then(at+1, &step{trail, stepWord, string(n)})
	case tag:
		return then(at, &step{trail, stepTag, string(n)})
	case special:
		return n == "NULL" && then(at, trail)
	case reference:
		return m.match(m.rules[string(n)], at, &step{trail, stepEnter, string(n)}, func(at int, trail *step) bool {
			return then(at, &step{trail, stepLeave, string(n)})
		})
	case sequence:
		return m.sequence(n, at, trail, then)
	case choice:
		for _, alternative := range n {
			if m.match(alternative, at, trail, then) {
				return true
			}
		}
	case repeat:
		return m.repeated(n, at, trail, then)
	}
	return false
}

func (m *matcher) sequence(s sequence, at int, trail *step, then next) bool {
	if len(s) == 0 {
		return then(at, trail)
	}
	return m.match(s[0], at, trail, func(at int, trail *step) bool {
		return m.sequence(s[1:], at, trail, then)
	})
}

// repeated is greedy: it tries one more before it tries to go on.
func (m *matcher) repeated(r repeat, at int, trail *step, then next) bool {
	if r.max != 0 {
		rest := repeat{body: r.body, min: max(r.min-1, 0), max: r.max}
		if r.max > 0 {
			rest.max--
		}
		more := m.match(r.body, at, trail, func(after int, trail *step) bool {
			if after == at && r.min == 0 {
				return false // an empty body would repeat for ever
			}
			return m.repeated(rest, after, trail, then)
		})
		if more {
			return true
		}
	}
	return r.min == 0 && then(at, trail)
}
