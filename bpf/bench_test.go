package bpf

import (
	"testing"

	"github.com/cilium/ebpf"

	"mcp/bpf/bpftest"
	"mcp/bpf/testrun"
)

// BenchmarkProgram gives the nanoseconds the kernel spends in the program for
// one packet. The frame stays what the program made of it, so a relayed one
// comes back as the far end's answer would: each leg is the other's far end.
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
		// A leg whose far end is its own address: what it relays arrives again.
		loop := r.openLeg(b, addrPort("10.2.0.2", 20000), serverSSRC)
		must(b, loop.Configure(legConfig(addrPort("10.2.0.2", 20000), loop)))
		rtp := voice(1, 1)
		rtp.SSRC = serverSSRC
		frame := r.fromCaller(rtp)
		frame.Src, frame.Dst = loop.Local(), loop.Local()
		r.repeat(b, frame.Bytes())
		if s := r.stats(b, loop); s.RxRelayed < uint64(b.N) {
			b.Fatalf("%d of %d relayed: %+v", s.RxRelayed, b.N, s)
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
