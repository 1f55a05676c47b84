package scan

// level is a bracket that is open.
type level struct {
	open    byte
	heads   int  // of statements within each other: if, for, else, labels
	pending int  // operators of the expression so far
	work    int  // tokens so far
	heading bool // it belongs to if, for, while or with
	ended   bool // a statement has, unless else follows
}

// deeper counts what makes the tree of the script deeper where it stands.
func (s *scanner) deeper(by int) {
	s.continues()
	s.top().pending += by
	s.depth += by
}

// continues settles whether the last statement has ended: behind it, else begins no other.
func (s *scanner) continues() {
	if t := s.top(); t.ended {
		t.ended = false
		s.depth -= t.heads
		t.heads = 0
	}
}

// over ends an expression.
func (s *scanner) over() {
	t := s.top()
	s.depth -= t.pending
	t.pending = 0
}

// boundary ends a statement. Those that it stands in may go on, with else.
func (s *scanner) boundary() {
	s.over()
	s.top().ended = true
}

// operand takes in a token that is one. Two in a row belong to two statements.
func (s *scanner) operand() {
	if s.last != nothing {
		s.boundary()
	}
	s.continues()
	s.last, s.word = operand, ""
}

func (s *scanner) push(l level) {
	l.work = s.work
	s.levels = append(s.levels, l)
	s.depth++
	s.last, s.word = nothing, ""
}

func (s *scanner) open(c byte) {
	if c == '{' && s.last == brace {
		s.boundary()
	}
	heading := c == '(' && s.last == nothing && oneOf(" if for while with await ", s.word)
	s.deeper(1)
	s.at++
	s.push(level{open: c, heading: heading})
}

func (s *scanner) close() {
	c := s.text[s.at]
	s.at++
	t := *s.top()
	if closing := map[byte]byte{'(': ')', '[': ']', '{': '}', '`': '}'}[t.open]; c != closing {
		s.wrong("unexpected " + string(c))
		return
	}
	s.levels = s.levels[:len(s.levels)-1]
	s.depth -= t.heads + t.pending + 1
	s.params = s.work - t.work
	switch {
	case t.open == '`' && c == '}':
		s.template()
		return
	case c == '}':
		s.last = brace
	case t.heading:
		s.over()
		s.last = nothing
	default:
		s.last = operand
	}
	s.word = string(c)
}

// head begins a statement that has others in it.
func (s *scanner) head(word string) {
	t := s.top()
	if s.last != nothing {
		s.boundary()
	}
	if word == "else" {
		t.ended = false
	}
	s.continues()
	t.heads++
	s.depth++
	s.last = nothing
}
