package resample

// Stream changes the sample rate of audio that comes piece by piece. Its delay is
// that of the filter, some two milliseconds at 8 kHz.
type Stream struct {
	filter *filter
	up     int // outputs for each
	down   int // inputs, both without common factors
	buf    []int16
	at     int // of the next output, in units of 1/up samples, from the beginning of buf
}

// New makes a Stream between two rates in Hz.
func New(from, to int) *Stream {
	g := gcd(from, to)
	s := &Stream{filter: newFilter(from, to), up: to / g, down: from / g}
	s.buf = make([]int16, 2*s.filter.reach-1, 16*s.filter.reach)
	s.at = (s.filter.reach - 1) * s.up
	return s
}

// NewUndelayed makes a Stream of which Finish tells the end: altogether its pieces become
// what Whole makes of all.
func NewUndelayed(from, to int) *Stream {
	s := New(from, to)
	s.at = len(s.buf) * s.up
	return s
}

// Finish appends to dst what the last samples become.
func (s *Stream) Finish(dst []int16) []int16 {
	if s.up == s.down {
		return dst
	}
	return s.Append(dst, make([]int16, s.filter.reach))
}

// Append appends to dst what in becomes, and returns it. Pieces of equal length
// become pieces of equal length, to within a sample.
func (s *Stream) Append(dst, in []int16) []int16 {
	if s.up == s.down {
		return append(dst, in...)
	}
	s.buf = append(s.buf, in...)
	reach := s.filter.reach
	for s.at/s.up+reach < len(s.buf) {
		phase := s.at % s.up * s.filter.phases / s.up
		dst = append(dst, clamp(s.filter.apply(s.buf, s.at/s.up, phase)))
		s.at += s.down
	}
	used := max(0, s.at/s.up-reach+1)
	s.buf = s.buf[:copy(s.buf, s.buf[used:])]
	s.at -= used * s.up
	return dst
}
