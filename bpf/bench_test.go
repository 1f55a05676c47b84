package bpf

import (
	"testing"

	"github.com/cilium/ebpf"

	"mcp/bpf/bpfbench"
	"mcp/bpf/bpftest"
	"mcp/bpf/testrun"
)

// BenchmarkProgram gives the nanoseconds the kernel spends in the program for
// one packet.
//
// Of some 120 for a relayed one, 13 find the leg, 28 are the clock (rdtsc waits for all
// that came before it, and nothing cheaper tells jitter), 20 the gate and the statistics
// of what arrives, 15 the place in the stream, 10 the hop, 19 all the rewriting and 16
// the redirect, which a program that only redirects spends as well, and the tally of
// verdicts. No line of the rest takes more than a twentieth. So neither headers kept
// ready nor fewer look-ups would save much. (Measured with the program cut off after
// each step, the fifth percentile of 300 short runs, on a machine that did other
// things, and by sampling where it was.)
func BenchmarkProgram(b *testing.B) {
	r := newRig(b, rigOptions{mode: ModeGeneric, static: true})
	r.openLegs(b)
	other := r.fromCaller(voice(1, 1))
	other.Dst = addrPort("10.1.0.1", 30000)
	wrong := r.fromCaller(voice(1, 1))
	wrong.Src = addrPort("10.1.0.2", 4002)
	for _, row := range []struct {
		name  string
		frame bpftest.Frame
	}{{"pass", other}, {"wrong source", wrong}} {
		b.Run(row.name, func(b *testing.B) { r.repeat(b, row.frame.Bytes()) })
	}
	b.Run("relay", func(b *testing.B) {
		before := r.stats(b, r.callerLeg).RxRelayed
		b.ReportMetric(r.time(b, r.callersVoice(b), b.N), "program-ns/packet")
		if relayed := r.stats(b, r.callerLeg).RxRelayed - before; relayed != uint64(b.N) {
			b.Fatalf("%d of %d relayed", relayed, b.N)
		}
	})
}

func (r *rig) repeat(b *testing.B, frame []byte) {
	opts := ebpf.RunOptions{
		Data:    frame,
		Context: testrun.Context{DataEnd: uint32(len(frame)), IngressIfindex: uint32(r.toCaller.Index)},
		Repeat:  uint32(b.N),
	}
	must(b, r.ns.Do(func() error {
		_, err := r.plane.objects.Relay.Run(&opts)
		return err
	}))
}

// callersVoice is a generator of the caller's stream.
func (r *rig) callersVoice(b *testing.B) *bpfbench.Bench {
	b.Helper()
	g, err := bpfbench.New(bpfbench.Config{Frames: [][]byte{r.fromCaller(voice(0, 0)).Bytes()}})
	must(b, err)
	b.Cleanup(func() { must(b, g.Close()) })
	return g
}

// time gives the nanoseconds that the program spends on one of so many packets.
func (r *rig) time(b *testing.B, g *bpfbench.Bench, packets int) (ns float64) {
	b.Helper()
	must(b, r.ns.Do(func() error {
		both, err := g.TimePinned(programPath(r.dir, "relay"), packets)
		if err != nil {
			return err
		}
		making, err := g.TimeMaking(packets)
		ns = both - making
		return err
	}))
	return ns
}
