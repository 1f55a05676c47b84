package rtpstream

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

const (
	rate  = 8000
	ptime = 20 * time.Millisecond
	ticks = 160
)

// sent is a packet that left, and who made it as what.
type sent struct {
	Stamp
	from   Source
	number uint32 // of the source's own, without wrapping
}

// course is a random schedule of sources into one stream.
type course struct {
	rng    *rand.Rand
	egress Egress
	now    time.Time
	out    []sent
	late   int
}

// speaker is a source that loses, repeats and reorders what it says.
type speaker struct {
	Source
	number, base uint32
	baseTS       uint32
	waiting      []uint32 // numbers on their way
}

func newCourse(seed uint64) *course {
	rng := rand.New(rand.NewPCG(seed, 1))
	return &course{
		rng: rng, now: time.Unix(1e9, 0),
		egress: NewEgress(uint16(rng.Uint32()), rng.Uint32()),
	}
}

func (c *course) newSpeaker(leg uint64) *speaker {
	return &speaker{Source: Source{Leg: leg, SSRC: c.rng.Uint32()}, base: c.rng.Uint32(), baseTS: c.rng.Uint32(), number: 1}
}

// restart is what a far end that reboots does: other numbers, perhaps the same SSRC.
func (c *course) restart(s *speaker) {
	*s = speaker{Source: s.Source, number: s.number + 20000, base: s.base, baseTS: c.rng.Uint32()}
	if c.rng.IntN(2) == 0 {
		s.SSRC = c.rng.Uint32()
	}
}

func (c *course) frame() Frame { return Frame{Now: c.now, Ticks: ticks, Rate: rate} }

// talk lets a source speak for some frames.
func (c *course) talk(s *speaker) {
	for range 1 + c.rng.IntN(80) {
		c.now = c.now.Add(ptime + time.Duration(c.rng.IntN(6)-3)*time.Millisecond)
		if c.rng.IntN(20) > 0 { // or lost
			s.waiting = append(s.waiting, s.number)
		}
		if c.rng.IntN(30) == 0 { // repeated
			s.waiting = append(s.waiting, s.number)
		}
		if len(s.waiting) > 1 && c.rng.IntN(10) == 0 { // overtaken
			n := len(s.waiting)
			s.waiting[n-1], s.waiting[n-2] = s.waiting[n-2], s.waiting[n-1]
		}
		s.number++
		for len(s.waiting) > c.rng.IntN(3) {
			c.arrive(s, s.waiting[0])
			s.waiting = s.waiting[1:]
		}
	}
}

func (c *course) arrive(s *speaker, number uint32) {
	in := Stamp{Sequence: uint16(s.base + number), Timestamp: s.baseTS + number*ticks}
	stamp, ok := c.egress.Relayed(s.Source, in, c.frame())
	if !ok {
		c.late++
		return
	}
	c.out = append(c.out, sent{stamp, s.Source, number})
}

// speak lets the platform itself speak.
func (c *course) speak() {
	for i := range 1 + c.rng.IntN(50) {
		c.now = c.now.Add(ptime)
		c.out = append(c.out, sent{c.egress.Own(i == 0, c.frame()), Source{}, uint32(len(c.out))})
	}
}

// TestAnyCourseIsOneStream holds random schedules to what a receiver relies on.
func TestAnyCourseIsOneStream(t *testing.T) {
	for seed := range uint64(300) {
		c := newCourse(seed)
		speakers := []*speaker{c.newSpeaker(1), c.newSpeaker(2), c.newSpeaker(3)}
		for range 30 {
			switch s := speakers[c.rng.IntN(3)]; c.rng.IntN(5) {
			case 0:
				c.speak()
			case 1:
				c.now = c.now.Add(time.Duration(c.rng.IntN(5000)) * time.Millisecond)
				c.talk(s)
			case 2:
				c.restart(s)
				c.talk(s)
			default:
				c.talk(s)
			}
		}
		checkStream(t, seed, c.out)
		if t.Failed() {
			return
		}
	}
}

// checkStream looks at a stream as its receiver does: each packet has one place,
// time never runs backwards, and where the source changes nothing is missing.
func checkStream(t *testing.T, seed uint64, out []sent) {
	t.Helper()
	places := map[int64]sent{}
	place, highest := int64(0), int64(0)
	var order []int64
	for i, p := range out {
		if i > 0 {
			place += int64(int16(p.Sequence - out[i-1].Sequence))
		}
		change := i > 0 && place > highest && places[highest].from != p.from
		if change && (place != highest+1 || !p.Marker) {
			t.Errorf("seed %d, packet %d: after a change comes %+v, before it was %+v", seed, i, p, places[highest])
		}
		highest = max(highest, place)
		before, taken := places[place]
		if taken && before != p && (before.from != p.from || before.number != p.number) {
			t.Errorf("seed %d, packet %d: %+v has the place of %+v", seed, i, p, before)
		}
		if !taken {
			places[place] = p
			order = append(order, place)
		}
	}
	slices.Sort(order)
	for i, at := range order[1:] {
		before, p := places[order[i]], places[at]
		if step := int32(p.Timestamp - before.Timestamp); step < ticks || int64(step) > 600*rate {
			t.Errorf("seed %d: timestamp steps by %d from %+v to %+v", seed, step, before, p)
		}
		same := p.from == before.from && p.from != Source{} && !p.Marker
		if same && (at-order[i] != int64(p.number-before.number) || p.Timestamp-before.Timestamp != ticks*(p.number-before.number)) {
			t.Errorf("seed %d: the source's distance of %d frames became %d", seed, p.number-before.number, at-order[i])
		}
	}
}

func TestOwnPacketsGoOnByTheClockAtAMarker(t *testing.T) {
	e := NewEgress(0xffff, 1000)
	now := time.Unix(1e9, 0)
	frame := func() Frame { return Frame{Now: now, Ticks: ticks, Rate: rate} }
	steps := []struct {
		after  time.Duration
		marker bool
		want   Stamp
	}{
		{0, false, Stamp{0, 1000, true}}, // the first is always marked
		{ptime, false, Stamp{1, 1160, false}},
		{time.Second, false, Stamp{2, 1320, false}}, // late: the pacer's doing, not the speaker's
		{time.Second, true, Stamp{3, 9320, true}},
		{time.Millisecond, true, Stamp{4, 9480, true}}, // never into the frame before
	}
	for i, step := range steps {
		now = now.Add(step.after)
		if got := e.Own(step.marker, frame()); got != step.want {
			t.Errorf("step %d: %+v, want %+v", i, got, step.want)
		}
	}
}

// The packets of an event say when it began (RFC 4733 section 2.1), and what follows is
// later by as long as it lasted, whoever speaks then.
func TestTimeGoesByWhileAnEventLasts(t *testing.T) {
	const held, began = 50 * ptime, 5000
	for name, send := range map[string]func(*Egress, uint16, Frame) Stamp{
		"relayed": func(e *Egress, n uint16, f Frame) Stamp {
			s, _ := e.Relayed(Source{Leg: 1, SSRC: 1}, Stamp{Sequence: n, Timestamp: began}, f)
			return s
		},
		"own": func(e *Egress, n uint16, f Frame) Stamp { return e.Own(n == 0, Frame{Now: f.Now, Rate: f.Rate}) },
	} {
		e := NewEgress(0, 0)
		start := time.Unix(1e9, 0)
		first := send(&e, 0, Frame{start, ticks, rate})
		now := start.Add(held)
		if last := send(&e, 1, Frame{now, ticks, rate}); last.Timestamp != first.Timestamp {
			t.Errorf("%s: an event began at %d and at %d", name, first.Timestamp, last.Timestamp)
		}
		if s, at, _ := e.Latest(); s.Timestamp != first.Timestamp || at != start {
			t.Errorf("%s: what began at %d is said to have left at %s", name, s.Timestamp, at)
		}
		if next := e.Own(true, Frame{now, ticks, rate}); next.Timestamp-first.Timestamp != 50*ticks {
			t.Errorf("%s: what follows after %s is %d later", name, held, next.Timestamp-first.Timestamp)
		}
	}
}

func TestLatePacketsOfAReplacedSource(t *testing.T) {
	e := NewEgress(0, 0)
	now := time.Unix(1e9, 0)
	first, second := Source{Leg: 1, SSRC: 11}, Source{Leg: 2, SSRC: 22}
	relay := func(from Source, seq uint16) (Stamp, bool) {
		return e.Relayed(from, Stamp{Sequence: seq, Timestamp: uint32(seq) * ticks}, Frame{now, ticks, rate})
	}
	relay(first, 100)
	relay(second, 5000)
	if _, ok := relay(first, 99); ok {
		t.Error("a late packet of the replaced source is relayed")
	}
	if _, ok := relay(second, 4999); ok {
		t.Error("a packet from before the source's turn is relayed")
	}
	if s, ok := relay(first, 101); !ok || s.Sequence != 3 || !s.Marker {
		t.Errorf("the next packet of the former source is %+v, %t", s, ok)
	}
	now = now.Add(lateFor)
	relay(second, 5001)
	now = now.Add(lateFor)
	if s, ok := relay(first, 101); !ok || s.Sequence != 5 {
		t.Errorf("after a while it is %+v, %t", s, ok)
	}
}

func TestSourcesReturn(t *testing.T) {
	e := NewEgress(0, 0)
	now := time.Unix(1e9, 0)
	relay := func(turn uint8, seq uint16) (Stamp, bool) {
		return e.Relayed(Source{Leg: 1, SSRC: 1, Turn: turn}, Stamp{Sequence: seq, Timestamp: uint32(seq) * ticks}, Frame{now, ticks, rate})
	}
	relay(1, 100)
	now = now.Add(4 * ptime)
	if s, ok := relay(2, 104); !ok || s.Sequence != 2 || s.Timestamp != 4*ticks || !s.Marker {
		t.Errorf("it is back with %+v, %t", s, ok)
	}
	if s, ok := relay(2, 103); ok {
		t.Errorf("what it said before that leaves as %+v", s)
	}
	if s, ok := relay(2, 105); !ok || s.Sequence != 3 || s.Timestamp != 5*ticks || s.Marker {
		t.Errorf("it goes on with %+v, %t", s, ok)
	}
}

func TestNothingIsLateInALongStream(t *testing.T) {
	e := NewEgress(0, 0)
	now := time.Unix(1e9, 0)
	for i := range 200_000 {
		now = now.Add(ptime)
		in := Stamp{Sequence: uint16(i), Timestamp: uint32(i * ticks)}
		if s, ok := e.Relayed(Source{Leg: 1, SSRC: 1}, in, Frame{now, ticks, rate}); !ok || s.Sequence != uint16(i+1) {
			t.Fatalf("packet %d is %+v, %t", i, s, ok)
		}
	}
}

func TestStampingDoesNotAllocate(t *testing.T) {
	e := NewEgress(0, 0)
	now := time.Now()
	var in Stamp
	if n := testing.AllocsPerRun(100, func() {
		in.Sequence++
		in.Timestamp += ticks
		e.Relayed(Source{Leg: 1, SSRC: 1}, in, Frame{now, ticks, rate})
		e.Own(false, Frame{now, ticks, rate})
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
