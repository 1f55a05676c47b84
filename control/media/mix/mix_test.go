package mix

import (
	"math"
	"testing"
)

const frame = 160

// room is a mixer and its ports, of which each says a level of its own.
type room struct {
	mixer *Mixer
	ports []*Port
}

func newRoom(n, loudest int) *room {
	r := &room{mixer: New(frame, loudest)}
	for range n {
		r.ports = append(r.ports, &Port{In: make([]int16, frame), Gain: 1})
	}
	return r
}

// say fills a port's input with one level; an even one, so that sums can be told apart.
func (r *room) say(port int, level int16) {
	for i := range r.ports[port].In {
		r.ports[port].In[i] = level
	}
	r.ports[port].Active = level != 0
}

func (r *room) frames(n int, levels ...int16) {
	for range n {
		for i, l := range levels {
			r.say(i, l)
		}
		r.mixer.Frame(r.ports)
	}
}

// wants holds what each hears to what it should; -1 is nothing at all.
func (r *room) wants(t *testing.T, what string, levels ...int) {
	t.Helper()
	for i, want := range levels {
		got := -1
		if out := r.ports[i].Out; out != nil {
			got = int(out[frame/2])
		}
		if got != want {
			t.Errorf("%s: port %d hears %d, want %d", what, i, got, want)
		}
	}
}

func TestEachHearsTheOthers(t *testing.T) {
	r := newRoom(4, 0)
	r.frames(1, 1000, 200, 30, 0)
	r.wants(t, "four", 230, 1030, 1200, 1230)
	if r.ports[0].Shared || !r.ports[3].Shared {
		t.Error("only the silent hear the same")
	}
}

func TestWhoHearsWhom(t *testing.T) {
	for _, tt := range []struct {
		name string
		set  func(p []*Port)
		want []int
	}{
		{name: "mute", set: func(p []*Port) { p[0].Mute = true }, want: []int{230, 30, 200, 230}},
		{name: "deaf", set: func(p []*Port) { p[0].Deaf = true }, want: []int{-1, 1030, 1200, 1230}},
		{name: "gain", set: func(p []*Port) { p[0].Gain = 0.5 }, want: []int{230, 530, 700, 730}},
		{name: "whisper", set: func(p []*Port) { p[0].HeardBy = []*Port{p[1]} }, want: []int{230, 1030, 200, 230}},
		{name: "to nobody", set: func(p []*Port) { p[0].HeardBy = []*Port{} }, want: []int{230, 30, 200, 230}},
		{name: "whisper to itself", set: func(p []*Port) { p[0].HeardBy = []*Port{p[0]} }, want: []int{230, 30, 200, 230}},
		{name: "two whisper to one", set: func(p []*Port) {
			p[0].HeardBy, p[1].HeardBy = []*Port{p[3]}, []*Port{p[3]}
		}, want: []int{30, 30, 0, 1230}},
	} {
		r := newRoom(4, 0)
		tt.set(r.ports)
		r.frames(1, 1000, 200, 30, 0)
		r.wants(t, tt.name, tt.want...)
	}
}

func TestTheLoudestAreHeard(t *testing.T) {
	r := newRoom(5, 2)
	r.frames(20, 3000, 2500, 1000, 500, 0)
	r.wants(t, "the two loudest", 2500, 3000, 5500, 5500, 5500)
	// Somebody a little louder does not take the place of who speaks; somebody much louder does.
	r.frames(20, 3000, 2500, 2700, 500, 0)
	r.wants(t, "a little louder", 2500, 3000, 5500, 5500, 5500)
	r.frames(40, 3000, 2500, 9000, 500, 0)
	r.wants(t, "much louder", 9000, 12000, 3000, 12000, 12000)
	r.ports[3].Preferred = true
	r.frames(1, 3000, 2500, 9000, 500, 0)
	r.wants(t, "preferred", 9500, 12500, 3500, 12000, 12500)
	r.mixer.SetLoudest(0)
	r.frames(1, 3000, 2500, 9000, 500, 0)
	r.wants(t, "all", 12000, 12500, 6000, 14500, 15000)
}

func TestTalking(t *testing.T) {
	r := newRoom(2, 0)
	r.frames(10, 3000, 20)
	if !r.ports[0].Talking() || r.ports[1].Talking() {
		t.Errorf("%.0f and %.0f dB: %t, %t", r.ports[0].Level(), r.ports[1].Level(), r.ports[0].Talking(), r.ports[1].Talking())
	}
	if l := r.ports[0].Level(); math.Abs(l-(-17.8)) > 0.5 {
		t.Errorf("3000 is %.1f dB", l)
	}
	r.frames(1, 0, 20)
	if r.ports[0].Talking() {
		t.Error("talking in silence")
	}
}

// Too much for 16 bits becomes quieter, not broken.
func TestTheSumFits(t *testing.T) {
	r := newRoom(4, 0)
	for n := range 50 {
		for p := range 3 {
			for i := range frame {
				r.ports[p].In[i] = int16(20000 * math.Sin(2*math.Pi*float64(n*frame+i)*400/8000))
			}
			r.ports[p].Active = true
		}
		r.mixer.Frame(r.ports)
		flat := 0
		for i := 1; i < frame; i++ {
			if s := r.ports[3].Out[i]; s == r.ports[3].Out[i-1] && (s > 32000 || s < -32000) {
				flat++
			}
		}
		if flat > 8 {
			t.Fatalf("frame %d is clipped at %d samples", n, flat)
		}
	}
	r.frames(200, 100, 100, 100, 0)
	r.wants(t, "afterwards", 200, 200, 200, 300)
}

func TestFrameDoesNotAllocate(t *testing.T) {
	r := newRoom(50, 3)
	for i := range 10 {
		r.say(i, int16(1000+i))
	}
	r.mixer.Frame(r.ports)
	for range 30 {
		r.mixer.Frame(r.ports)
	}
	if n := testing.AllocsPerRun(50, func() { r.mixer.Frame(r.ports) }); n != 0 {
		t.Errorf("%g allocations", n)
	}
}

func BenchmarkFrame500(b *testing.B) {
	r := newRoom(500, 4)
	for i := range 500 {
		r.say(i, int16(100+i))
	}
	for b.Loop() {
		r.mixer.Frame(r.ports)
	}
}
