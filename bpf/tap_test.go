package bpf

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/ringbuf"

	"mcp/bpf/bpftest"
	"mcp/bpf/tap"
	"mcp/bpf/testrun"
)

// look opens a capture of legs, from the pins alone.
func (r *rig) look(t testing.TB, legs ...*Leg) *Tap {
	t.Helper()
	c, err := OpenTap(r.dir, r.infos(t, legs...))
	must(t, err)
	t.Cleanup(func() { must(t, c.Close()) })
	return c
}

// infos describes some of the open legs.
func (r *rig) infos(t testing.TB, legs ...*Leg) []LegInfo {
	t.Helper()
	all, err := InspectLegs(r.dir)
	must(t, err)
	var wanted []LegInfo
	for _, l := range legs {
		for _, i := range all {
			if i.ID == l.ID() {
				wanted = append(wanted, i)
			}
		}
	}
	if len(wanted) != len(legs) {
		t.Fatalf("%d of %d legs are listed", len(wanted), len(legs))
	}
	return wanted
}

// seen takes what a capture has got.
func seen(t testing.TB, c *Tap) []tap.Packet {
	t.Helper()
	var all []tap.Packet
	stopped, stop := context.WithCancel(context.Background())
	stop()
	must(t, c.Run(stopped, func(p tap.Packet) error {
		p.Data = bytes.Clone(p.Data)
		all = append(all, p)
		return nil
	}, nil))
	return all
}

func TestCaptureShowsWholePackets(t *testing.T) {
	long := voice(4, 640)
	long.Payload = bytes.Repeat([]byte{1, 2, 3, 4, 5}, 200)
	for _, row := range []struct {
		name  string
		spoil func(f *bpftest.Frame)
		l3    int // where IP begins in the frame
		want  string
	}{
		{"relayed", func(*bpftest.Frame) {}, 14, "relayed"},
		{"tagged", func(f *bpftest.Frame) { f.VLANs = []uint16{5, 6} }, 22, "relayed"},
		{"padded", func(f *bpftest.Frame) { f.Padding = 9 }, 14, "relayed"},
		{"options", func(f *bpftest.Frame) { f.Options = []byte{1, 1, 1, 0} }, 14, "relayed"},
		{"long", func(f *bpftest.Frame) { f.Payload = long.Bytes() }, 14, "relayed"},
		{"wrong source", func(f *bpftest.Frame) { f.Src = addrPort("10.1.0.2", 4002) }, 14, "drop_source"},
		{"not RTP", func(f *bpftest.Frame) { f.Payload = []byte("no") }, 14, "drop_not_rtp"},
		{"RTCP", func(f *bpftest.Frame) {
			f.Src, f.Dst = addrPort("10.1.0.2", 4001), addrPort("10.1.0.1", 20001)
			f.Payload = []byte{0x80, 201, 0, 1, 1, 2, 3, 4}
		}, 14, "to_user"},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := newRig(t, rigOptions{mode: ModeGeneric, static: true})
			r.openLegs(t)
			c := r.look(t, r.callerLeg, r.serverLeg)
			f := r.fromCaller(voice(1, 160))
			row.spoil(&f)
			frame := f.Bytes()
			_, out := r.run(t, frame)
			got := seen(t, c)
			if len(got) == 0 {
				t.Fatal("nothing was captured")
			}
			in := got[0]
			want := frame[row.l3 : len(frame)-f.Padding]
			if in.LegID != r.callerLeg.ID() || in.Direction != tap.Received || in.Verdict != row.want || in.Length != len(want) {
				t.Errorf("received: %+v", in)
			}
			if !bytes.Equal(in.Data, want) {
				t.Errorf("received\n%x, arrived\n%x", in.Data, want)
			}
			if age := time.Since(in.At); age < 0 || age > patience {
				t.Errorf("received at %s, that is %s ago", in.At, age)
			}
			if row.want != "relayed" {
				if len(got) != 1 {
					t.Errorf("%d packets captured: %+v", len(got), got)
				}
				return
			}
			if len(got) != 2 {
				t.Fatalf("%d packets captured: %+v", len(got), got)
			}
			left := got[1]
			if left.LegID != r.serverLeg.ID() || left.SourceID != r.callerLeg.ID() || left.Direction != tap.Sent || left.Verdict != "relayed" {
				t.Errorf("sent: %+v", left)
			}
			if want := out[14 : len(out)-f.Padding]; !bytes.Equal(left.Data, want) {
				t.Errorf("sent\n%x, left\n%x", left.Data, want)
			}
		})
	}
}

func TestCaptureLooksAtItsLegsOnly(t *testing.T) {
	r := newRig(t, rigOptions{mode: ModeGeneric, static: true})
	r.openLegs(t)
	c := r.look(t, r.serverLeg)
	r.run(t, r.fromCaller(voice(1, 160)).Bytes())
	got := seen(t, c)
	if len(got) != 1 || got[0].LegID != r.serverLeg.ID() || got[0].Direction != tap.Sent {
		t.Errorf("captured %+v", got)
	}
}

// A capture that does not come back ends by itself.
func TestCaptureExpires(t *testing.T) {
	r := newRig(t, rigOptions{mode: ModeGeneric, static: true})
	r.openLegs(t)
	c := r.look(t, r.callerLeg)
	if !r.infos(t, r.callerLeg)[0].Captured {
		t.Fatal("leg is not captured")
	}
	must(t, c.renew(time.Millisecond))
	for deadline := time.Now().Add(patience); r.infos(t, r.callerLeg)[0].Captured; {
		if time.Now().After(deadline) {
			t.Fatal("leg is still captured")
		}
	}
	r.run(t, r.fromCaller(voice(1, 160)).Bytes())
	if got := seen(t, c); len(got) != 0 {
		t.Errorf("captured %+v", got)
	}
	other := r.look(t, r.callerLeg)
	r.run(t, r.fromCaller(voice(2, 320)).Bytes())
	if got := seen(t, other); len(got) != 1 {
		t.Errorf("captured %+v", got)
	}
}

func TestCaptureCountsWhatItMisses(t *testing.T) {
	const packets = 10000
	r := newRig(t, rigOptions{mode: ModeGeneric, static: true})
	r.openLegs(t)
	for range 2 { // the second capture begins to count anew
		c := r.look(t, r.callerLeg)
		must(t, c.renew(time.Minute))
		f := r.fromCaller(voice(1, 160))
		f.Src = addrPort("10.1.0.2", 4002)
		frame := f.Bytes()
		must(t, r.ns.Do(func() error {
			_, err := r.plane.objects.Relay.Run(&ebpf.RunOptions{
				Data: frame, Repeat: packets,
				Context: testrun.Context{DataEnd: uint32(len(frame)), IngressIfindex: uint32(r.toCaller.Index)},
			})
			return err
		}))
		got := seen(t, c)
		dropped, err := c.Dropped()
		must(t, err)
		if len(got) < 1000 || dropped == 0 || uint64(len(got))+dropped != packets {
			t.Errorf("%d packets captured, %d dropped, of %d", len(got), dropped, packets)
		}
		must(t, c.Close())
	}
}

func TestOneCaptureAtATime(t *testing.T) {
	r := newRig(t, rigOptions{mode: ModeGeneric, static: true})
	r.openLegs(t)
	first := r.look(t, r.callerLeg)
	r.run(t, r.fromCaller(voice(1, 160)).Bytes())
	_, err := OpenTap(r.dir, r.infos(t, r.serverLeg))
	var busy *TapBusyError
	if !errors.As(err, &busy) || busy.PID != uint32(os.Getpid()) {
		t.Fatalf("second capture: %v", err)
	}
	must(t, first.Close())
	// What the first left unread is none of the second's.
	second := r.look(t, r.callerLeg, r.serverLeg)
	r.run(t, r.fromCaller(voice(2, 320)).Bytes())
	if got := seen(t, second); len(got) != 2 {
		t.Errorf("captured %+v", got)
	}
}

func TestCaptureEndsWithItsLegs(t *testing.T) {
	r := newRig(t, rigOptions{mode: ModeGeneric, static: true})
	r.openLegs(t)
	c := r.look(t, r.callerLeg)
	infos := r.infos(t, r.callerLeg)
	r.run(t, r.fromCaller(voice(1, 160)).Bytes())
	_, err := r.callerLeg.Close()
	must(t, err)
	packets := 0
	err = c.Run(t.Context(), func(tap.Packet) error { packets++; return nil }, func() error { return nil })
	if !errors.Is(err, ErrClosed) || packets != 1 {
		t.Errorf("%d packets, %v", packets, err)
	}
	must(t, c.Close())
	if _, err := OpenTap(r.dir, infos); !errors.Is(err, ErrClosed) {
		t.Errorf("capture of a leg that is gone: %v", err)
	}
}

func TestCaptureWithoutPlane(t *testing.T) {
	if _, err := OpenTap(t.TempDir()+"/plane", nil); !errors.Is(err, ErrNotLoaded) {
		t.Error(err)
	}
	if _, err := InspectLegs(t.TempDir() + "/plane"); !errors.Is(err, ErrNotLoaded) {
		t.Error(err)
	}
}

func TestInspectLegs(t *testing.T) {
	r := newRig(t, rigOptions{mode: ModeGeneric, static: true})
	r.openLegs(t)
	waiting := r.openLeg(t, addrPort("10.1.0.1", 20010), 7)
	c := legConfig(addrPort("10.1.0.2", 4010), nil)
	c.Far.Latch = time.Hour
	must(t, waiting.Configure(c))
	muted := r.openLeg(t, addrPort("10.1.0.1", 20012), 8)
	for seq := range uint16(3) {
		r.run(t, r.fromCaller(voice(seq, uint32(seq)*frameTicks)).Bytes())
	}
	must(t, r.callerLeg.Own(Owner{Call: "call-1", Role: "caller"}))
	got := r.infos(t, r.callerLeg, r.serverLeg, waiting, muted)
	caller, server := got[0], got[1]
	if caller.Local != r.callerLocal || caller.Far != r.callerPeer || caller.Signalled != r.callerPeer ||
		caller.RelayTo != server.ID || !caller.MaySend || !caller.MayReceive || caller.Captured || caller.EventType != eventType {
		t.Errorf("caller: %+v", caller)
	}
	if caller.Stats.RxPackets != 3 || caller.Stats.RxRelayed != 3 || caller.Stream.Started {
		t.Errorf("caller: %+v", caller)
	}
	if caller.Owner.Call != "call-1" || caller.Owner.Role != "caller" || server.Owner.Call != "" {
		t.Errorf("owners: %+v, %+v", caller.Owner, server.Owner)
	}
	s := server.Stream
	if !s.Started || s.SSRC != serverSSRC || s.SourceID != caller.ID || time.Since(s.At) > patience {
		t.Errorf("server's stream: %+v", s)
	}
	if w := got[2]; !w.Latching() || w.Far.IsValid() || w.Signalled != addrPort("10.1.0.2", 4010) {
		t.Errorf("waiting leg: %+v", w)
	}
	if m := got[3]; m.Latching() || m.Far.IsValid() || m.Signalled.IsValid() {
		t.Errorf("muted leg: %+v", m)
	}
}

// BenchmarkCapture gives what a relayed packet costs in the program while nobody
// looks, and while both of its legs are captured.
func BenchmarkCapture(b *testing.B) {
	const batch = 1000 // fewer than the ring holds
	for _, captured := range []bool{false, true} {
		b.Run(fmt.Sprintf("captured=%t", captured), func(b *testing.B) {
			r := newRig(b, rigOptions{mode: ModeGeneric, static: true})
			r.openLegs(b)
			voices := r.callersVoice(b)
			var c *Tap
			if captured {
				c = r.look(b, r.callerLeg, r.serverLeg)
				must(b, c.renew(time.Hour))
			}
			var spent float64
			packets := 0
			for b.Loop() {
				spent += r.time(b, voices, batch)
				if c != nil {
					var record ringbuf.Record
					must(b, c.drain(&record, func(tap.Packet) error { packets++; return nil }))
				}
			}
			b.ReportMetric(spent/float64(b.N), "ns/packet")
			if captured && packets != 2*batch*b.N {
				b.Errorf("%d packets captured, %d travelled", packets, 2*batch*b.N)
			}
		})
	}
}
