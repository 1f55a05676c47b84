package jitter

import (
	"math"
	"math/rand/v2"
	"sort"
	"testing"
	"time"

	"mcp/control/media/codec"
)

const frame = 20 * time.Millisecond

// far is a far end that says a tone.
type far struct {
	payload []byte // the same in each: five periods
	ssrc    uint32
}

func newFar(t testing.TB) *far {
	e, err := codec.NewEncoder(codec.PCMU)
	if err != nil {
		t.Fatal(err)
	}
	pcm := make([]int16, 160)
	for i := range pcm {
		pcm[i] = int16(8000 * math.Sin(2*math.Pi*250*float64(i)/8000))
	}
	payload, err := e.Encode(nil, pcm)
	if err != nil {
		t.Fatal(err)
	}
	return &far{payload, 1}
}

// packet is the n-th; the tone goes on from one to the next.
func (f *far) packet(n int) Packet {
	return Packet{SSRC: f.ssrc, Sequence: uint16(n + 65530), Timestamp: uint32(n * 160), Payload: f.payload}
}

// network says when a packet arrives that was sent at a time; negative: never.
type network func(n int, sent time.Duration) time.Duration

// play sends so many packets through a network into a buffer, and returns what
// was pulled each 20 ms of the listener's clock.
func play(t testing.TB, n int, every time.Duration, through network) (*Buffer, []int16) {
	b, err := New(codec.PCMU)
	if err != nil {
		t.Fatal(err)
	}
	f := newFar(t)
	type arrival struct {
		n  int
		at time.Duration
	}
	var arrivals []arrival
	for i := range n {
		if at := through(i, time.Duration(i)*every); at >= 0 {
			arrivals = append(arrivals, arrival{i, at})
		}
	}
	sort.SliceStable(arrivals, func(i, j int) bool { return arrivals[i].at < arrivals[j].at })
	var out []int16
	pcm := make([]int16, 160)
	for now := time.Duration(0); len(arrivals) > 0; now += frame {
		for len(arrivals) > 0 && arrivals[0].at <= now {
			b.Put(f.packet(arrivals[0].n))
			arrivals = arrivals[1:]
		}
		b.Pull(pcm)
		out = append(out, pcm...)
	}
	return b, out
}

// roughness is the largest step between samples, of those of a tone of 250 Hz at
// a level of 8000 some 1570.
func roughness(pcm []int16) (most int) {
	for i := 1; i < len(pcm); i++ {
		most = max(most, int(math.Abs(float64(pcm[i])-float64(pcm[i-1]))))
	}
	return most
}

func level(pcm []int16) float64 {
	var sum float64
	for _, s := range pcm {
		sum += float64(s) * float64(s)
	}
	return math.Sqrt(2 * sum / float64(len(pcm)))
}

func TestAnEvenStreamIsHeardAsItWasSaid(t *testing.T) {
	b, out := play(t, 500, frame, func(_ int, sent time.Duration) time.Duration { return sent })
	if s := b.Stats(); s.Packets != 500 || s.Lost+s.Late != 0 || s.Concealed != 0 || s.Delay > 60*time.Millisecond {
		t.Errorf("%+v", s)
	}
	if body := out[1600:]; roughness(body) > 1700 || math.Abs(level(body)-8000) > 100 {
		t.Errorf("the tone has steps of %d and a level of %.0f", roughness(body), level(body))
	}
}

func TestOrderIsRestored(t *testing.T) {
	b, out := play(t, 500, frame, func(n int, sent time.Duration) time.Duration {
		if n%2 == 0 && n > 2 {
			return sent + 25*time.Millisecond // overtaken by the next
		}
		return sent
	})
	if s := b.Stats(); s.Lost != 0 || s.Late > 2 || s.Concealed > 3*frame {
		t.Errorf("%+v", s)
	}
	if body := out[8000:]; roughness(body) > 1700 {
		t.Errorf("steps of %d", roughness(body))
	}
}

// The delay follows the network's worst, and comes down again.
func TestJitterIsTakenUp(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	b, out := play(t, 6000, frame, func(n int, sent time.Duration) time.Duration {
		if n < 3000 {
			return sent + time.Duration(r.IntN(60))*time.Millisecond
		}
		return sent
	})
	s := b.Stats()
	if s.Packets+s.Late != 6000 || s.Concealed > 400*time.Millisecond || s.Delay > 80*time.Millisecond || s.Removed == 0 {
		t.Errorf("%+v", s)
	}
	if body := out[8000:]; roughness(body) > 2200 || math.Abs(level(body)-8000) > 200 {
		t.Errorf("the tone has steps of %d and a level of %.0f", roughness(body), level(body))
	}
}

func TestLossIsConcealed(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	lost := 0
	b, out := play(t, 3000, frame, func(n int, sent time.Duration) time.Duration {
		if n > 10 && n < 2990 && r.IntN(20) == 0 {
			lost++
			return -1
		}
		return sent
	})
	s := b.Stats()
	if int(s.Lost) != lost {
		t.Errorf("%d of %d losses seen", s.Lost, lost)
	}
	if body := out[8000:]; roughness(body) > 4500 || math.Abs(level(body)-8000) > 500 {
		t.Errorf("the tone has steps of %d and a level of %.0f", roughness(body), level(body))
	}
}

// Clocks that differ by 200 ppm for an hour: nothing is lost, and the delay stays.
func TestDriftIsFollowed(t *testing.T) {
	for _, ppm := range []int{200, -200} {
		every := frame + frame*time.Duration(ppm)/1e6
		b, out := play(t, int(time.Hour/frame), every, func(_ int, sent time.Duration) time.Duration { return sent })
		s := b.Stats()
		drift := 720 * time.Millisecond
		if s.Lost+s.Late != 0 || s.Delay > 100*time.Millisecond || s.Concealed > 2*drift || s.Removed > 2*drift {
			t.Errorf("%d ppm: %+v", ppm, s)
		}
		if body := out[8000:]; roughness(body) > 3000 || math.Abs(level(body)-8000) > 100 {
			t.Errorf("%d ppm: the tone has steps of %d and a level of %.0f", ppm, roughness(body), level(body))
		}
	}
}

// An hour of a bad network between clocks that differ: packets wander by up to 40 ms and
// overtake each other, and one of fifty gets lost. The tone stays what it is, and the
// delay does not grow.
func TestAnHourOfABadNetwork(t *testing.T) {
	for _, ppm := range []int{200, -200} {
		r := rand.New(rand.NewPCG(5, uint64(ppm)))
		every, lost := frame+frame*time.Duration(ppm)/1e6, 0
		n := int(time.Hour / frame)
		b, out := play(t, n, every, func(n int, sent time.Duration) time.Duration {
			if r.IntN(50) == 0 {
				lost++
				return -1
			}
			return sent + time.Duration(r.IntN(40))*time.Millisecond
		})
		s := b.Stats()
		if missing := int(s.Lost) - lost; missing < -2 || missing > n/1000 || int(s.Late) > n/1000 || s.Delay > 120*time.Millisecond {
			t.Errorf("%d ppm: %d of %d packets got lost: %+v", ppm, lost, n, s)
		}
		if most := time.Duration(lost)*frame*11/10 + 5*time.Second; s.Concealed > most {
			t.Errorf("%d ppm: %s are made up, at most %s should be", ppm, s.Concealed, most)
		}
		if body := out[8000:]; roughness(body) > 4500 || math.Abs(level(body)-8000) > 400 {
			t.Errorf("%d ppm: the tone has steps of %d and a level of %.0f", ppm, roughness(body), level(body))
		}
	}
}

func TestSilenceBetweenTalkSpurts(t *testing.T) {
	b, _ := New(codec.PCMU)
	f := newFar(t)
	pcm := make([]int16, 160)
	spurt := func(from, to int) (heard int) {
		for n := from; n < to+20; n++ {
			if n < to {
				b.Put(f.packet(n))
			}
			if b.Pull(pcm) {
				heard++
			}
		}
		return heard
	}
	if n := spurt(0, 50); n < 50 || n > 54 {
		t.Errorf("50 packets are %d frames", n)
	}
	if level(pcm) != 0 || b.Pull(pcm) {
		t.Error("silence is not silent")
	}
	f.ssrc = 2 // another source begins
	if n := spurt(3000, 3050); n < 50 || n > 54 {
		t.Errorf("50 packets of another source are %d frames", n)
	}
}

func TestRepeatedPacketsCountOnce(t *testing.T) {
	b, _ := New(codec.PCMU)
	f := newFar(t)
	for n := range 10 {
		b.Put(f.packet(n))
		b.Put(f.packet(n))
		b.Put(Packet{SSRC: 1, Sequence: uint16(n)})
	}
	if s := b.Stats(); s.Packets != 10 || s.Late != 10 {
		t.Errorf("%+v", s)
	}
}

func TestSteadyStateDoesNotAllocate(t *testing.T) {
	b, _ := New(codec.PCMU)
	f := newFar(t)
	var packets []Packet
	for n := range 400 {
		packets = append(packets, f.packet(n))
	}
	pcm, n := make([]int16, 160), 0
	step := func() { b.Put(packets[n]); n++; b.Pull(pcm) }
	for range 100 {
		step()
	}
	if a := testing.AllocsPerRun(200, step); a != 0 {
		t.Errorf("%g allocations a frame", a)
	}
}

func FuzzBuffer(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 255, 4, 5, 200, 100})
	f.Fuzz(func(t *testing.T, script []byte) {
		b, _ := New(codec.PCMU)
		pcm := make([]int16, 160)
		for i, c := range script {
			switch c % 4 {
			case 0:
				b.Pull(pcm)
			default:
				b.Put(Packet{SSRC: uint32(c % 3), Sequence: uint16(i)*uint16(c) + uint16(c), Timestamp: uint32(c) * 160, Payload: script[:min(int(c), len(script))]})
			}
			if d := b.Stats().Delay; d < 0 || d > 20*time.Second {
				t.Fatalf("delay is %s", d)
			}
		}
	})
}

func BenchmarkPutPull(b *testing.B) {
	buf, _ := New(codec.PCMU)
	f := newFar(b)
	p, pcm := f.packet(0), make([]int16, 160)
	b.ReportAllocs()
	for b.Loop() {
		buf.Put(p)
		p.Sequence++
		buf.Pull(pcm)
	}
}
