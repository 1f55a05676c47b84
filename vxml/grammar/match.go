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
// followed at once, the preferred first. What an input may cost is bounded: when
// the steps are used up the less preferred ways are given up.
type Matcher struct {
	linked  *Linked
	threads []thread // waiting for a token, in order of preference
	done    []*event // complete readings, the preferred first
	tokens  []string
	frames  map[frame]*frame
	seen    map[place]int
	width   int // ways kept to one place: how many readings can be told apart
	steps   int // left
}

// maxSteps bounds the work on one input, of which a call of a rule takes more.
const (
	maxSteps  = 1 << 17
	callSteps = 8
)

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
	skipped // heard by GARBAGE
	tagged
)

// NewMatcher begins a match.
func (l *Linked) NewMatcher() *Matcher { return l.matcher(1) }

func (l *Linked) matcher(width int) *Matcher {
	m := &Matcher{linked: l, frames: make(map[frame]*frame), seen: make(map[place]int), width: width, steps: maxSteps}
	m.advance([]thread{{rule: l.root, trace: &event{kind: entered, rule: l.root}}})
	return m
}

// Feed takes the next token and tells the state it leads to.
func (m *Matcher) Feed(token string) State {
	m.tokens = append(m.tokens, token)
	var next []thread
	for _, t := range m.threads {
		in := &t.rule.code[t.pc]
		switch {
		case in.op == opAny:
			t.trace = &event{kind: skipped, text: token, prev: t.trace}
		case in.text != token:
			continue
		case in.show != "":
			t.trace = &event{kind: heard, text: in.show, prev: t.trace}
		}
		t.pc++
		next = append(next, t)
	}
	m.advance(next)
	return m.State()
}

// State tells how far the input has come.
func (m *Matcher) State() State {
	switch {
	case len(m.done) > 0 && len(m.threads) > 0:
		return Extendable
	case len(m.done) > 0:
		return Complete
	case len(m.threads) > 0:
		return Partial
	}
	return Failed
}

// Accepts tells whether the token could come next.
func (m *Matcher) Accepts(token string) bool {
	for _, t := range m.threads {
		if in := &t.rule.code[t.pc]; in.op == opAny || in.text == token {
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
	m.threads, m.done = m.threads[:0:0], nil
	clear(m.seen)
	// A stack of what is still to run, preferred on top.
	var pending []thread
	for i := len(threads) - 1; i >= 0; i-- {
		pending = append(pending, threads[i])
	}
	for len(pending) > 0 && m.steps > 0 {
		m.steps--
		t := pending[len(pending)-1]
		pending = pending[:len(pending)-1]
		at := place{t.rule, t.pc, t.stack}
		if m.seen[at] == m.width {
			continue
		}
		m.seen[at]++
		pending = m.step(t, pending)
	}
}

// step carries out one instruction and pushes where the thread goes on.
func (m *Matcher) step(t thread, pending []thread) []thread {
	in := &t.rule.code[t.pc]
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
		callee, uri := t.rule.grammar.rules[in.text], ""
		if in.op == opForeign {
			callee, uri = m.linked.lookup(*in), in.uri()
		}
		if up := m.frame(t); up != nil {
			pending = append(pending, thread{
				rule: callee, stack: up,
				trace: &event{kind: entered, rule: callee, text: uri, prev: t.trace},
			})
		}
	case opReturn:
		t.trace = &event{kind: left, rule: t.rule, prev: t.trace}
		if t.stack != nil {
			return append(pending, thread{rule: t.stack.rule, pc: t.stack.pc, stack: t.stack.up, trace: t.trace})
		}
		if len(m.done) < m.width {
			m.done = append(m.done, t.trace)
		}
	}
	return pending
}

// uri is what a foreign reference refers to.
func (in inst) uri() string {
	if in.rule == "" {
		return in.text
	}
	return in.text + "#" + in.rule
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
		m.steps -= callSteps
	}
	return known
}
