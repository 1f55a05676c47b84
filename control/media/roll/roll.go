// Package roll keeps sets that are joined and left often, and seldom looked through.
// Whatever may be in one holds the seat that it takes there, and so finds its way out
// without a search.
package roll

import "iter"

// Roll is a set, in no order. Its zero value is empty and may be used. Whoever owns it
// sees that one goroutine at a time uses it and the seats in it.
type Roll[M any] struct {
	taken []*Seat[M]
}

// Seat is a member's place in a roll. Its zero value is in none. It must not be copied.
type Seat[M any] struct {
	member M
	roll   *Roll[M]
	at     int
}

// Join has a member take its seat in a roll, and leave the one that it was in.
func (r *Roll[M]) Join(s *Seat[M], member M) {
	s.Leave()
	*s = Seat[M]{member, r, len(r.taken)}
	r.taken = append(r.taken, s)
}

// Taken tells whether the seat is in a roll.
func (s *Seat[M]) Taken() bool { return s.roll != nil }

// Leave has the seat's member leave its roll, if it is in one. The last one moves up.
func (s *Seat[M]) Leave() {
	if s.roll == nil {
		return
	}
	taken := s.roll.taken
	end := len(taken) - 1
	last := taken[end]
	taken[s.at], last.at = last, s.at
	taken[end] = nil
	s.roll.taken = taken[:end]
	*s = Seat[M]{}
}

// Len is the number of members.
func (r *Roll[M]) Len() int { return len(r.taken) }

// All are the members. While they are gone through, none may join or leave.
func (r *Roll[M]) All() iter.Seq[M] {
	return func(yield func(M) bool) {
		for _, s := range r.taken {
			if !yield(s.member) {
				return
			}
		}
	}
}

// Members are the members as they are now.
func (r *Roll[M]) Members() []M {
	all := make([]M, 0, len(r.taken))
	for m := range r.All() {
		all = append(all, m)
	}
	return all
}
