package bpf

import (
	"reflect"
	"testing"
	"time"

	"mcp/bpf/bpftest"
)

// A leg that is closed tells all that it carried, and its port is free at once.
func TestClosingTellsWhatWasCarried(t *testing.T) {
	r := newRig(t, rigOptions{mode: ModeGeneric, static: true})
	r.openLegs(t)
	for seq := range uint16(5) {
		r.run(t, r.fromCaller(bpftest.RTP{Seq: seq, TS: uint32(seq) * frameTicks, SSRC: 7, Payload: make([]byte, 160)}).Bytes())
	}
	must(t, r.serverLeg.Send(Packet{Ticks: frameTicks, Data: make([]byte, 160)}))
	for _, l := range []*Leg{r.callerLeg, r.serverLeg} {
		before := r.stats(t, l)
		if before.RxPackets+before.TxPackets == 0 {
			t.Fatalf("leg %s carried nothing", l.Local())
		}
		after, err := l.Close()
		must(t, err)
		if d := after.Source.At.Sub(before.Source.At) + after.Tx.At.Sub(before.Tx.At); d.Abs() > time.Second {
			t.Errorf("the latest packets were %s apart", d)
		}
		after.Source.At, after.Tx.At = before.Source.At, before.Tx.At // the same by a clock that is disciplined meanwhile
		if !reflect.DeepEqual(before, after) {
			t.Errorf("closed: %+v, before: %+v", after, before)
		}
		again, err := r.plane.AddLeg(l.Local(), 9)
		must(t, err)
		if fresh := r.stats(t, again); fresh.RxPackets+fresh.TxPackets != 0 || !fresh.Source.At.IsZero() {
			t.Errorf("the next leg there begins with %+v", fresh)
		}
		_, err = again.Close()
		must(t, err)
	}
}

// What is asked of a leg when its plane is closed is refused.
func TestLegOfClosedPlane(t *testing.T) {
	r := newRig(t, rigOptions{mode: ModeGeneric, static: true})
	r.openLegs(t)
	must(t, r.plane.Close())
	_, err := r.callerLeg.Close()
	wantError(t, err, ErrClosed)
	_, err = r.plane.AddLeg(addrPort("10.1.0.1", 30000), 1)
	wantError(t, err, ErrClosed)
	if err := r.serverLeg.SendRTCP(make([]byte, 8)); err == nil {
		t.Error("a packet was sent")
	}
}

// BenchmarkLeg is what it costs to open a leg, to say good-bye on it and to close it.
func BenchmarkLeg(b *testing.B) {
	r := newRig(b, rigOptions{mode: ModeGeneric, static: true})
	local, far := addrPort("10.1.0.1", 30000), addrPort("10.1.0.2", 4000)
	bye := make([]byte, 60)
	b.ReportAllocs()
	for b.Loop() {
		l, err := r.plane.AddLeg(local, 1)
		must(b, err)
		must(b, l.Configure(legConfig(far, nil)))
		must(b, l.SendRTCP(bye))
		_, err = l.Close()
		must(b, err)
	}
}
