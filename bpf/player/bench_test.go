package player

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"mcp/bpf"
	"mcp/bpf/bpfbench"
	"mcp/bpf/bpftest"
	"mcp/bpf/ktime"
)

// BenchmarkRun gives the nanoseconds that a packet takes of a run that says one of each
// of so many streams, what swallows it included. Cold: the processor does something else
// between two runs, which takes its caches.
func BenchmarkRun(b *testing.B) {
	r := newRig(b, rigOptions{})
	sink(b, r)
	r.player.pacing.end()
	const most, perSlot = 4096, 1024
	clip, slots := r.clip(speech(60*8000)), uint64(most/perSlot)
	for n, leg := range r.shuffledLegs(most) {
		r.playIn(leg, clip, uint64(n/perSlot))
	}
	r.turns(2*slots, perSlot, 0) // the way is learned
	for _, streams := range []int{16, 64, 325, 1024} {
		for name, octets := range map[string]int{"warm": 0, "cold": 64 << 20} {
			b.Run(fmt.Sprintf("%s/%d", name, streams), func(b *testing.B) {
				b.ReportMetric(float64(r.turns(uint64(b.N), streams, octets))/float64(streams), "ns/packet")
			})
		}
	}
}

// sink has the far end swallow all.
func sink(b *testing.B, r *rig) {
	idle := bpftest.Frame{Payload: bpftest.RTP{Payload: make([]byte, 160)}.Bytes()}
	s, err := bpfbench.New(bpfbench.Config{Frames: [][]byte{idle.Bytes()}})
	r.must(err)
	b.Cleanup(func() { r.must(s.Close()) })
	r.must(r.far.Do(func() error { return s.AttachSink(r.farEnd.Index) }))
}

// shuffledLegs opens so many legs. Their order is not that of memory, as where calls come and go.
func (r *rig) shuffledLegs(n int) []*bpf.Leg {
	legs := make([]*bpf.Leg, n)
	for i := range legs {
		leg, err := r.plane.AddLeg(netip.AddrPortFrom(r.local, uint16(20000+2*i)), ssrc+uint32(i))
		r.must(err)
		r.must(leg.Configure(bpf.LegConfig{
			Far: bpf.FarEnd{RTP: netip.AddrPortFrom(r.farAddr, 4000)}, ClockRate: 8000, FrameTicks: 160, EventType: 101, MaySend: true,
		}))
		legs[i] = leg
	}
	rand.New(rand.NewPCG(1, 2)).Shuffle(n, func(i, j int) { legs[i], legs[j] = legs[j], legs[i] })
	return legs
}

// playIn plays a clip to a leg, over and over, in a slot.
func (r *rig) playIn(leg *bpf.Leg, clip *Clip, t uint64) {
	s, err := r.player.NewStream(leg, StreamConfig{})
	r.must(err)
	p := r.player
	p.mu.Lock()
	if !p.desk.add(s, &p.desk.slots[slotAt(s.span, t)]) {
		r.Fatal("no room")
	}
	p.mu.Unlock()
	r.must(s.Play(clip, Options{From: 0, Repeat: -1}))
}

// turns serves so many turns, each of the first streams of a slot, and tells how long
// one took of the quickest tenth.
func (r *rig) turns(turns uint64, streams, between int) uint64 {
	other, took := make([]byte, between), make([]uint64, turns)
	pace := r.player.pacerHere()
	r.must(r.ns.Do(func() error {
		for n := range turns {
			for i := 0; i < len(other); i += 64 {
				other[i]++
			}
			t := turnOf(1+n, slotAt(20, n%4), uint32(streams))
			pace.pace.Turn = uint64(t)
			begin := ktime.Now()
			for ; t.left() > 0; t = pace.turn() { // a signal may interrupt it
				if err := pace.send(t); err != nil {
					return err
				}
			}
			took[n] = ktime.Now() - begin
		}
		return nil
	}))
	slices.Sort(took)
	return took[turns/10]
}
