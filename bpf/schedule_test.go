package bpf

import (
	"math/rand/v2"
	"slices"
	"testing"

	"mcp/bpf/bpftest"
)

// schedule is a random course of sources into one stream, through the programs:
// far ends that lose, repeat and reorder what they say, and that start anew, and
// userspace in between. They also speak to nobody for a while.
type schedule struct {
	*stream
	rnd  *rand.Rand
	out  []departed
	late int
}

// departed is a packet that left, and whose it was.
type departed struct {
	bpftest.RTP
	from, number uint32 // the source's number counts on through its restarts; 0: userspace
}

// talker is a far end.
type talker struct {
	source
	number  uint32
	waiting []bpftest.RTP // on their way
	numbers []uint32
}

// say has a far end speak for some frames.
func (c *schedule) say(s *talker) {
	for range 1 + c.rnd.IntN(60) {
		s.number++
		in := s.next(0)
		if c.rnd.IntN(20) > 0 { // or lost
			s.onTheWay(in)
		}
		if c.rnd.IntN(30) == 0 { // repeated
			s.onTheWay(in)
		}
		if n := len(s.waiting); n > 1 && c.rnd.IntN(10) == 0 { // overtaken
			s.waiting[n-1], s.waiting[n-2] = s.waiting[n-2], s.waiting[n-1]
			s.numbers[n-1], s.numbers[n-2] = s.numbers[n-2], s.numbers[n-1]
		}
		for len(s.waiting) > c.rnd.IntN(3) {
			out, ok := c.relay(s.waiting[0])
			if ok {
				c.out = append(c.out, departed{out, s.ssrc, s.numbers[0]})
			} else {
				c.late++
			}
			s.waiting, s.numbers = s.waiting[1:], s.numbers[1:]
		}
	}
}

func (s *talker) onTheWay(in bpftest.RTP) {
	s.waiting = append(s.waiting, in)
	s.numbers = append(s.numbers, s.number)
}

// restart is what a far end that reboots does: it goes on with other numbers, and
// forgets what it was about to say.
func (c *schedule) restart(s *talker) {
	s.seq += uint16(5000 + c.rnd.IntN(20000))
	s.ts = c.rnd.Uint32()
	s.number += 100_000
	s.waiting, s.numbers = nil, nil
}

// stray has a far end speak to nobody for a while, and come back. What it said there
// is not missing from the stream.
func (c *schedule) stray(s *talker) {
	leg := c.legOf(s.ssrc)
	must(c.t, leg.Configure(legConfig(c.callerPeer, nil)))
	for range 1 + c.rnd.IntN(50) {
		if _, ok := c.relay(s.next(0)); ok {
			c.t.Fatal("a far end that is routed nowhere was heard")
		}
	}
	must(c.t, leg.Configure(legConfig(c.callerPeer, c.serverLeg)))
	s.number += 100_000
	s.waiting, s.numbers = nil, nil
}

// speak lets userspace speak.
func (c *schedule) speak() {
	for i := range 1 + c.rnd.IntN(40) {
		c.out = append(c.out, departed{c.own(i == 0, frameTicks), 0, uint32(len(c.out))})
	}
}

// Whatever the sources do, the far end sees one stream that obeys RFC 3550.
func TestRandomSchedules(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	c := &schedule{stream: newStream(t), rnd: rand.New(rand.NewPCG(seed, 1))}
	talkers := []*talker{
		{source: source{ssrc: 1}}, {source: source{ssrc: 2, seq: 65000}}, {source: source{ssrc: 3, ts: 1 << 31}},
	}
	for range 200 {
		s := talkers[c.rnd.IntN(len(talkers))]
		switch c.rnd.IntN(6) {
		case 0:
			c.speak()
		case 1:
			c.restart(s)
			c.say(s)
		case 2:
			c.stray(s)
			c.say(s)
		default:
			c.say(s)
		}
	}
	if len(c.out) < 2000 || c.late > len(c.out)/10 {
		t.Fatalf("%d packets left, %d were late", len(c.out), c.late)
	}
	checkStream(t, c.out)
}

// checkStream looks at a stream as its receiver does: each packet has one place,
// time never runs backwards, and where the source changes nothing is missing.
func checkStream(t *testing.T, out []departed) {
	t.Helper()
	places := map[int64]departed{}
	place, highest := int64(0), int64(0)
	for i, p := range out {
		if i > 0 {
			place += int64(int16(p.Seq - out[i-1].Seq))
		}
		before, taken := places[place]
		if taken && (before.from != p.from || before.number != p.number || before.TS != p.TS) {
			t.Fatalf("packet %d: %+v has the place of %+v", i, p, before)
		}
		if i > 0 && place > highest {
			c := places[highest]
			if changed := c.from != p.from || p.number > c.number+50_000; changed != p.Marker && p.from != 0 {
				t.Fatalf("packet %d: marker is %t of %+v after %+v", i, p.Marker, p, c)
			} else if changed && place != highest+1 {
				t.Fatalf("packet %d: after a change comes %+v, before it was %+v", i, p, c)
			}
		}
		highest = max(highest, place)
		if !taken { // what is repeated has lost its marker
			places[place] = p
		}
	}
	checkTimeline(t, places)
}

// checkTimeline looks at packets in the order of their places.
func checkTimeline(t *testing.T, places map[int64]departed) {
	t.Helper()
	order := make([]int64, 0, len(places))
	for at := range places {
		order = append(order, at)
	}
	slices.Sort(order)
	for i, at := range order[1:] {
		before, p := places[order[i]], places[at]
		if step := int32(p.TS - before.TS); step < frameTicks {
			t.Errorf("timestamp steps by %d from %+v to %+v", step, before, p)
		}
		apart := p.number - before.number
		same := p.from == before.from && p.from != 0 && !p.Marker
		if same && (at-order[i] != int64(apart) || p.TS-before.TS != frameTicks*apart) {
			t.Errorf("the source's distance of %d frames became %d", apart, at-order[i])
		}
	}
}
