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
	frames  map[frame]*frame
	known   map[frame]*frame // those that every match begins with
	seen    map[place]int    // in places that more ways than one lead to
	width   int              // ways kept to one place: how many readings can be told apart
	steps   int              // left

	pending, room []thread // for what is still to run, and for the threads of the next token
	fresh         []event
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
func (l *Linked) NewMatcher() *Matcher {
	l.began.Do(func() { l.start = *l.matcher(1) })
	start := &l.start
	return &Matcher{
		linked: l, threads: start.threads, done: start.done, known: start.frames, width: 1, steps: start.steps,
	}
}

func (l *Linked) matcher(width int) *Matcher {
	m := &Matcher{linked: l, width: width, steps: maxSteps}
	m.pending = append(m.pending, thread{rule: l.root, trace: m.event(event{kind: entered, rule: l.root})})
	m.advance()
	return m
}

// event keeps an event. A few are made at a time.
func (m *Matcher) event(e event) *event {
	if len(m.fresh) == 0 {
		m.fresh = make([]event, 8)
	}
	kept := &m.fresh[0]
	m.fresh = m.fresh[1:]
	*kept = e
	return kept
}

// Feed takes the next token and tells the state it leads to.
func (m *Matcher) Feed(token string) State {
	if n := len(m.threads); m.pending == nil { // most inputs can go on in as many ways as they begin in
		both := make([]thread, 2*n)
		m.pending, m.room = both[:0:n], both[n:n]
	}
	for i := len(m.threads) - 1; i >= 0; i-- {
		t := m.threads[i]
		in := &t.rule.code[t.pc]
		switch {
		case in.op == opAny:
			t.trace = m.event(event{kind: skipped, text: token, prev: t.trace})
		case in.text != token:
			continue
		case in.show != "":
			t.trace = m.event(event{kind: heard, text: in.show, prev: t.trace})
		}
		t.pc++
		m.pending = append(m.pending, t)
	}
	m.advance()
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

type place struct {
	rule  *rule
	pc    int
	stack *frame
}

// advance runs the pending threads, of which the preferred is the last, to where each
// waits for a token or is complete.
func (m *Matcher) advance() {
	m.threads, m.done = m.room[:0], nil
	clear(m.seen)
	for len(m.pending) > 0 && m.steps > 0 {
		m.steps--
		last := len(m.pending) - 1
		t := m.pending[last]
		m.pending = m.pending[:last]
		if in := &t.rule.code[t.pc]; !in.joins || m.first(t) {
			m.step(t, in)
		}
	}
	m.pending, m.room = m.pending[:0], m.threads
}

// first tells whether a thread is one of the first to come to its place, as many as
// are kept.
func (m *Matcher) first(t thread) bool {
	at := place{t.rule, t.pc, t.stack}
	if m.seen[at] == m.width {
		return false
	}
	if m.seen == nil {
		m.seen = make(map[place]int)
	}
	m.seen[at]++
	return true
}

// step carries out one instruction and pushes where the thread goes on.
func (m *Matcher) step(t thread, in *inst) {
	switch in.op {
	case opToken, opAny:
		m.threads = append(m.threads, t)
	case opTag:
		t.trace = m.event(event{kind: tagged, text: in.text, prev: t.trace})
		t.pc++
		m.pending = append(m.pending, t)
	case opSplit:
		for i := len(in.to) - 1; i >= 0; i-- {
			t.pc = in.to[i]
			m.pending = append(m.pending, t)
		}
	case opCall:
		m.enter(t, in.callee, "")
	case opForeign:
		m.enter(t, m.linked.lookup(*in), in.uri())
	case opReturn:
		t.trace = m.event(event{kind: left, rule: t.rule, prev: t.trace})
		switch {
		case t.stack != nil:
			m.pending = append(m.pending, thread{rule: t.stack.rule, pc: t.stack.pc, stack: t.stack.up, trace: t.trace})
		case len(m.done) < m.width:
			m.done = append(m.done, t.trace)
		}
	}
}

// enter goes into a rule that a thread calls.
func (m *Matcher) enter(t thread, callee *rule, uri string) {
	if up := m.frame(t); up != nil {
		m.pending = append(m.pending, thread{
			rule: callee, stack: up, trace: m.event(event{kind: entered, rule: callee, text: uri, prev: t.trace}),
		})
	}
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
	if known := m.known[f]; known != nil {
		return known
	}
	known := m.frames[f]
	if known == nil {
		if m.frames == nil {
			m.frames = make(map[frame]*frame)
		}
		kept := f // on the heap; f is not
		known = &kept
		m.frames[f] = known
		m.steps -= callSteps
	}
	return known
}
