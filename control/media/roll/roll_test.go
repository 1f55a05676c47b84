package roll

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// Whoever joins, moves and leaves, in whatever order: a member is in the roll that it
// joined last, once, and in no other.
func TestMembersAreWhereTheyJoined(t *testing.T) {
	const members, moves = 20, 5000
	var rolls [2]Roll[int]
	var seats [members]Seat[int]
	want := [2]map[int]bool{{}, {}}
	random := rand.New(rand.NewPCG(1, 2))
	for range moves {
		m, to := random.IntN(members), random.IntN(3)
		delete(want[0], m)
		delete(want[1], m)
		if to < len(rolls) {
			want[to][m] = true
			rolls[to].Join(&seats[m], m)
		} else {
			seats[m].Leave()
		}
		if taken := seats[m].Taken(); taken != (to < len(rolls)) {
			t.Fatalf("member %d, sent to %d: taken %v", m, to, taken)
		}
		for i := range rolls {
			check(t, &rolls[i], want[i])
		}
	}
}

func check(t *testing.T, r *Roll[int], want map[int]bool) {
	t.Helper()
	wanted := slices.Sorted(maps.Keys(want))
	if got := slices.Sorted(r.All()); !slices.Equal(got, wanted) {
		t.Fatalf("members %v, want %v", got, wanted)
	}
	if got := r.Members(); len(got) != len(want) || r.Len() != len(want) {
		t.Fatalf("%d members as they are now, %d by number, want %d", len(got), r.Len(), len(want))
	}
}

// Nothing of one that has left is kept, and whoever holds the members as they were may
// send them elsewhere.
func TestMembersLeave(t *testing.T) {
	var from, to Roll[*int]
	var seats [3]Seat[*int]
	for i := range seats {
		from.Join(&seats[i], &i)
	}
	for _, m := range from.Members() {
		to.Join(&seats[*m], m)
	}
	if from.Len() != 0 || to.Len() != len(seats) {
		t.Errorf("%d have stayed, %d have come", from.Len(), to.Len())
	}
	for i := range seats {
		seats[i].Leave()
		seats[i].Leave()
	}
	for _, r := range []Roll[*int]{from, to} {
		for _, s := range r.taken[:cap(r.taken)] {
			if s != nil {
				t.Errorf("the roll keeps the seat of %d", *s.member)
			}
		}
	}
}

func BenchmarkJoinAndLeave(b *testing.B) {
	var all Roll[int]
	seats := make([]Seat[int], 4096)
	for i := range seats {
		all.Join(&seats[i], i)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i = (i + 1) % len(seats) {
		seats[i].Leave()
		all.Join(&seats[i], i)
	}
}
