package grammar

// State tells how far an input has come.
type State uint8

// The states of a match: nothing can come of it; more is needed; complete but
// more may follow; complete and nothing may follow.
const (
	Failed State = iota
	Partial
	Extendable
	Complete
)

// Matcher follows one input through a grammar. All ways to read the input are
// followed at once, the preferred first, so no input takes long: a step costs
// at most the grammar's size times the depth of its recursion.
type Matcher struct {
	linked  *Linked
	threads []thread // waiting for a token, in order of preference
	done    *event   // the preferred complete reading, nil when there is none
	matched bool
	tokens  []string
	frames  map[frame]*frame
}

// A thread is a place in a rule, with the rules it was called from.
type thread struct {
	rule  *rule
	pc    int
	stack *frame
	trace *event
}

// A frame is where a rule returns to. Equal frames are one object, so that equal
// threads can be told.
type frame struct {
	rule  *rule
	pc    int
	up    *frame
	depth int
}

// maxDepth bounds rule recursion: deeper readings are given up.
const maxDepth = 100

// An event is what a thread has been through, newest first.
type event struct {
	kind eventKind
	rule *rule
	text string
	prev *event
}

type eventKind uint8

const (
	entered eventKind = iota
	left
	heard
	tagged
)

// NewMatcher begins a match.
func (l *Linked) NewMatcher() *Matcher {
	m := &Matcher{linked: l, frames: make(map[frame]*frame)}
	m.advance([]thread{{rule: l.root, trace: &event{kind: entered, rule: l.root}}})
	return m
}

// Feed takes the next token and tells the state it leads to.
func (m *Matcher) Feed(token string) State {
	m.tokens = append(m.tokens, token)
	var next []thread
	for _, t := range m.threads {
		in := t.rule.code[t.pc]
		if in.op == opAny || in.text == token {
			t.pc++
			t.trace = &event{kind: heard, text: token, prev: t.trace}
			next = append(next, t)
		}
	}
	m.advance(next)
	return m.State()
}

// State tells how far the input has come.
func (m *Matcher) State() State {
	switch {
	case m.matched && len(m.threads) > 0:
		return Extendable
	case m.matched:
		return Complete
	case len(m.threads) > 0:
		return Partial
	}
	return Failed
}

// Accepts tells whether the token could come next.
func (m *Matcher) Accepts(token string) bool {
	for _, t := range m.threads {
		if in := t.rule.code[t.pc]; in.op == opAny || in.text == token {
			return true
		}
	}
	return false
}

// Tokens returns what has been fed.
func (m *Matcher) Tokens() []string { return m.tokens }

type place struct {
	rule  *rule
	pc    int
	stack *frame
}

// advance runs the threads to where each waits for a token or is complete.
func (m *Matcher) advance(threads []thread) {
	m.threads, m.done, m.matched = m.threads[:0:0], nil, false
	seen := make(map[place]bool)
	// A stack of what is still to run, preferred on top.
	var pending []thread
	for i := len(threads) - 1; i >= 0; i-- {
		pending = append(pending, threads[i])
	}
	for len(pending) > 0 {
		t := pending[len(pending)-1]
		pending = pending[:len(pending)-1]
		at := place{t.rule, t.pc, t.stack}
		if seen[at] {
			continue
		}
		seen[at] = true
		pending = m.step(t, pending)
	}
}

// step carries out one instruction and pushes where the thread goes on.
func (m *Matcher) step(t thread, pending []thread) []thread {
	in := t.rule.code[t.pc]
	switch in.op {
	case opToken, opAny:
		m.threads = append(m.threads, t)
	case opTag:
		t.trace = &event{kind: tagged, text: in.text, prev: t.trace}
		t.pc++
		pending = append(pending, t)
	case opSplit:
		for i := len(in.to) - 1; i >= 0; i-- {
			t.pc = in.to[i]
			pending = append(pending, t)
		}
	case opCall, opForeign:
		callee := t.rule.grammar.rules[in.text]
		if in.op == opForeign {
			callee = m.linked.lookup(in)
		}
		if up := m.frame(t); up != nil {
			pending = append(pending, thread{
				rule: callee, stack: up,
				trace: &event{kind: entered, rule: callee, prev: t.trace},
			})
		}
	case opReturn:
		t.trace = &event{kind: left, rule: t.rule, prev: t.trace}
		if t.stack != nil {
			return append(pending, thread{rule: t.stack.rule, pc: t.stack.pc, stack: t.stack.up, trace: t.trace})
		}
		if !m.matched {
			m.matched, m.done = true, t.trace
		}
	}
	return pending
}

// frame returns where a call from t comes back to, or nil when the recursion is
// too deep.
func (m *Matcher) frame(t thread) *frame {
	f := frame{rule: t.rule, pc: t.pc + 1, up: t.stack, depth: 1}
	if t.stack != nil {
		f.depth = t.stack.depth + 1
	}
	if f.depth > maxDepth {
		return nil
	}
	known := m.frames[f]
	if known == nil {
		known = &f
		m.frames[f] = known
	}
	return known
}
