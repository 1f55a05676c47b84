package bpf

import (
	"encoding/hex"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cilium/ebpf"

	"mcp/bpf/bpftest"
	"mcp/bpf/testrun"
)

// arrive gives a packet from somewhere to the caller's leg and says what became of it.
func (r *rig) arrive(t testing.TB, from netip.AddrPort, rtp bpftest.RTP) string {
	t.Helper()
	rtp.Payload = make([]byte, frameTicks)
	frame := r.fromCaller(rtp)
	frame.Src = from
	return r.fate(t, frame)
}

// fate gives a frame to the relay and names the verdict that counted it. What
// passes may be the hosts' own chatter as well.
func (r *rig) fate(t testing.TB, frame bpftest.Frame) string {
	t.Helper()
	before := r.verdicts(t)
	r.run(t, frame.Bytes())
	var fate string
	for name, n := range r.verdicts(t) {
		if n != before[name] && !strings.HasPrefix(name, "pass_") {
			fate += name
		}
	}
	return fate
}

func want(t testing.TB, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %s, want %s", what, got, want)
	}
}

func latching(r *rig, window time.Duration) LegConfig {
	c := legConfig(r.callerPeer, r.serverLeg)
	c.Far.Latch = window
	c.Far.LatchFrom = netip.MustParseAddr("10.1.0.77")
	return c
}

// A leg that may learn its far end believes two packets in sequence from a
// signalled address, once; it is silent until then.
func TestLatching(t *testing.T) {
	r := newRig(t, rigOptions{mode: ModeGeneric, static: true})
	r.openLegs(t)
	must(t, r.callerLeg.Configure(latching(r, time.Hour)))
	var dropped *DropError
	if err := r.callerLeg.Send(Packet{PayloadType: audioType, Data: []byte{1}}); !errors.As(err, &dropped) || dropped.Reason != "unlatched" {
		t.Errorf("an unlatched leg sends: %v", err)
	}
	if err := r.callerLeg.SendRTCP([]byte{0x80, 201, 0, 1, 1, 2, 3, 4}); !errors.As(err, &dropped) || dropped.Reason != "unlatched" {
		t.Errorf("an unlatched leg sends RTCP: %v", err)
	}
	attacker, natted := addrPort("10.1.0.66", 4000), addrPort("10.1.0.77", 6000)
	for seq := range uint16(5) {
		want(t, "a third host", r.arrive(t, attacker, bpftest.RTP{Seq: seq, SSRC: 9}), "drop_source")
	}
	want(t, "first packet", r.arrive(t, natted, bpftest.RTP{Seq: 10, SSRC: 1}), "drop_probation")
	want(t, "other port meanwhile", r.arrive(t, addrPort("10.1.0.77", 6002), bpftest.RTP{Seq: 11, SSRC: 1}), "drop_probation")
	want(t, "not in sequence", r.arrive(t, natted, bpftest.RTP{Seq: 12, SSRC: 1}), "drop_probation")
	want(t, "unknown type", r.arrive(t, natted, bpftest.RTP{Type: 77, Seq: 13, SSRC: 1}), "drop_type")
	want(t, "in sequence", r.arrive(t, natted, bpftest.RTP{Seq: 13, SSRC: 1}), "relayed")
	want(t, "the signalled address, after the lock", r.arrive(t, r.callerPeer, bpftest.RTP{Seq: 14, SSRC: 1}), "drop_source")
	if far, err := r.callerLeg.Far(); err != nil || far != natted {
		t.Errorf("far end is %s, %v", far, err)
	}
	must(t, r.callerLeg.Configure(latching(r, time.Hour)))
	want(t, "the same configuration again", r.arrive(t, natted, bpftest.RTP{Seq: 15, SSRC: 1}), "relayed")
	again := latching(r, time.Hour)
	again.Far.RTP = addrPort("10.1.0.2", 4002)
	must(t, r.callerLeg.Configure(again))
	want(t, "after a new offer", r.arrive(t, natted, bpftest.RTP{Seq: 16, SSRC: 1}), "drop_probation")
}

// A leg that is told of another far end does not learn the former one, though a packet
// of that one is being judged meanwhile on another processor.
func TestLatchingKeepsToTheConfiguration(t *testing.T) {
	r := newRig(t, rigOptions{mode: ModeGeneric, static: true})
	r.openLegs(t)
	former, next := latching(r, time.Hour), latching(r, time.Hour)
	next.Far.RTP, next.Far.LatchFrom = addrPort("10.1.0.99", 4000), netip.Addr{}
	stop := r.keepTalking(t)
	defer stop()
	for n := range 20_000 {
		must(t, r.callerLeg.Configure(former))
		if far, err := r.callerLeg.Far(); err != nil || far.IsValid() && far != r.callerPeer {
			t.Fatalf("far end is %s, %v, after %d changes", far, err, n)
		}
		must(t, r.callerLeg.Configure(next))
		if far, err := r.callerLeg.Far(); err != nil || far.IsValid() {
			t.Fatalf("far end is %s, %v, after %d changes", far, err, n)
		}
	}
}

// keepTalking has the caller's packets arrive, one after the other, until stop.
func (r *rig) keepTalking(t testing.TB) (stop func()) {
	var stopped atomic.Bool
	var talking sync.WaitGroup
	talking.Go(func() {
		for seq := uint16(0); !stopped.Load(); seq++ {
			frame := r.fromCaller(voice(seq, uint32(seq)*frameTicks)).Bytes()
			if _, err := r.plane.objects.Relay.Run(&ebpf.RunOptions{
				Data:    frame,
				Context: testrun.Context{DataEnd: uint32(len(frame)), IngressIfindex: uint32(r.toCaller.Index)},
			}); err != nil {
				t.Error(err)
				return
			}
		}
	})
	return func() {
		stopped.Store(true)
		talking.Wait()
	}
}

// Who was not heard in the window is where signalling said, and only there.
func TestLatchingWindowCloses(t *testing.T) {
	r := newRig(t, rigOptions{mode: ModeGeneric, static: true})
	r.openLegs(t)
	must(t, r.callerLeg.Configure(latching(r, time.Millisecond)))
	closed := time.Now().Add(2 * time.Millisecond)
	for time.Now().Before(closed) {
	}
	natted := addrPort("10.1.0.77", 6000)
	want(t, "too late", r.arrive(t, natted, bpftest.RTP{Seq: 1, SSRC: 1}), "drop_source")
	want(t, "too late", r.arrive(t, natted, bpftest.RTP{Seq: 2, SSRC: 1}), "drop_source")
	want(t, "as signalled", r.arrive(t, r.callerPeer, bpftest.RTP{Seq: 1, SSRC: 1}), "relayed")
	if far, err := r.callerLeg.Far(); err != nil || far != r.callerPeer {
		t.Errorf("far end is %s, %v", far, err)
	}
}

// While a source is alive no other one is heard on its leg; after silence two
// packets in sequence make another one the source.
func TestSourceIsLocked(t *testing.T) {
	r := newRig(t, rigOptions{mode: ModeGeneric, static: true})
	r.openLegs(t)
	want(t, "first source", r.arrive(t, r.callerPeer, bpftest.RTP{Seq: 1, SSRC: 1}), "relayed")
	want(t, "forged source", r.arrive(t, r.callerPeer, bpftest.RTP{Seq: 2, SSRC: 2}), "drop_ssrc")
	want(t, "first source", r.arrive(t, r.callerPeer, bpftest.RTP{Seq: 2, SSRC: 1}), "relayed")
	silent := time.Now().Add(110 * time.Millisecond)
	for time.Now().Before(silent) {
		time.Sleep(time.Millisecond)
	}
	want(t, "after silence", r.arrive(t, r.callerPeer, bpftest.RTP{Seq: 3, SSRC: 2}), "drop_probation")
	want(t, "another", r.arrive(t, r.callerPeer, bpftest.RTP{Seq: 4, SSRC: 3}), "drop_probation")
	want(t, "not proven", r.arrive(t, r.callerPeer, bpftest.RTP{Seq: 4, SSRC: 2}), "drop_probation")
	want(t, "proven", r.arrive(t, r.callerPeer, bpftest.RTP{Seq: 5, SSRC: 2}), "relayed")
	want(t, "the former one", r.arrive(t, r.callerPeer, bpftest.RTP{Seq: 3, SSRC: 1}), "drop_ssrc")
	moved := legConfig(addrPort("10.1.0.2", 4400), r.serverLeg)
	must(t, r.callerLeg.Configure(moved))
	want(t, "signalled anew", r.arrive(t, moved.Far.RTP, bpftest.RTP{Seq: 3, SSRC: 4}), "relayed")
	want(t, "locked again", r.arrive(t, moved.Far.RTP, bpftest.RTP{Seq: 6, SSRC: 2}), "drop_ssrc")
	if s := r.stats(t, r.callerLeg); s.Dropped["ssrc"] != 3 || s.Dropped["probation"] != 3 {
		t.Errorf("%+v", s)
	}
}

// A second's worth of packets may come at once; beyond it the ceiling holds, for
// the leg's own far end only.
func TestPacketCeiling(t *testing.T) {
	r := newRig(t, rigOptions{mode: ModeGeneric, static: true})
	r.openLegs(t)
	c := legConfig(r.callerPeer, r.serverLeg)
	const rate, sent = 50, 200
	c.Far.MaxRate = rate
	must(t, r.callerLeg.Configure(c))
	start := time.Now()
	for seq := range uint16(sent) {
		r.arrive(t, addrPort("10.1.0.66", 4000), bpftest.RTP{Seq: seq, SSRC: 9})
		r.arrive(t, r.callerPeer, bpftest.RTP{Seq: seq, SSRC: 1})
	}
	most := uint64(rate+time.Since(start).Seconds()*rate) + 2
	s := r.stats(t, r.callerLeg)
	if s.RxPackets < rate || s.RxPackets > most || s.RxPackets+s.Dropped["rate"] != sent || s.Dropped["source"] != sent {
		t.Errorf("%d accepted, want %d to %d: %+v", s.RxPackets, rate, most, s)
	}
}

// RTCP obeys the same rules, and its own ceiling.
func TestRTCPGate(t *testing.T) {
	r := newRig(t, rigOptions{mode: ModeGeneric, static: true})
	r.openLegs(t)
	report := func(from netip.AddrPort, port uint16, payload ...byte) string {
		frame := r.fromCaller(bpftest.RTP{})
		frame.Src, frame.Dst, frame.Payload = from, netip.AddrPortFrom(r.callerLocal.Addr(), port), payload
		return r.fate(t, frame)
	}
	rr := []byte{0x80, 201, 0, 1, 1, 2, 3, 4}
	for length := range 8 {
		want(t, "too short", report(addrPort("10.1.0.2", 4001), 20001, rr[:length]...), "drop_not_rtp")
	}
	want(t, "from RTCP's port", report(addrPort("10.1.0.2", 4001), 20001, rr...), "to_user")
	want(t, "from RTP's port", report(r.callerPeer, 20000, rr...), "to_user")
	want(t, "from the next port", report(addrPort("10.1.0.2", 4002), 20001, rr...), "drop_source")
	want(t, "from a third host", report(addrPort("10.1.0.66", 4001), 20001, rr...), "drop_source")
	for range 200 {
		report(addrPort("10.1.0.2", 4001), 20001, rr...)
	}
	if s := r.stats(t, r.callerLeg); s.RTCP > 60 || s.RTCP+s.Dropped["rate"] != 202 {
		t.Errorf("%+v", s)
	}
	must(t, r.callerLeg.Configure(latching(r, time.Hour)))
	want(t, "unlatched", report(addrPort("10.1.0.77", 6001), 20001, rr...), "drop_unlatched")
	natted := addrPort("10.1.0.77", 6000)
	r.arrive(t, natted, bpftest.RTP{Seq: 1, SSRC: 1})
	want(t, "latched", r.arrive(t, natted, bpftest.RTP{Seq: 2, SSRC: 1}), "relayed")
	want(t, "other address", report(addrPort("10.1.0.2", 4001), 20001, rr...), "drop_source")
	wait := time.Now().Add(200 * time.Millisecond)
	for time.Now().Before(wait) {
		time.Sleep(time.Millisecond)
	}
	want(t, "learned address", report(addrPort("10.1.0.77", 6001), 20001, rr...), "to_user")
	want(t, "learned address, far port", report(addrPort("10.1.0.77", 6009), 20001, rr...), "drop_source")
}

// Whatever RTCP says, from the far end or not, nothing of a leg changes but what
// counts it: not its source, not its stream, not its statistics.
func TestRTCPChangesNothing(t *testing.T) {
	r := newRig(t, rigOptions{mode: ModeGeneric, static: true})
	r.openLegs(t)
	want(t, "the caller", r.arrive(t, r.callerPeer, bpftest.RTP{Seq: 1, SSRC: 1}), "relayed")
	state := func() relayLeg {
		entry, err := r.callerLeg.read()
		must(t, err)
		entry.Counts, entry.Gate.RtcpPaidNs = relayLegCounts{}, 0
		return *entry
	}
	before := state()
	bye := []byte{0x81, 203, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1}
	long := []byte{0x9f, 200, 0xff, 0xff, 0, 0, 0, 1, 0, 0, 0, 1} // says that it has 31 reports, in 262,144 octets
	for _, from := range []netip.AddrPort{r.callerPeer, addrPort("10.1.0.2", 4001), addrPort("10.1.0.66", 4001)} {
		for port := r.callerLocal.Port(); port < r.callerLocal.Port()+2; port++ {
			for length := range len(bye) + 1 {
				for _, payload := range [][]byte{bye[:length], long[:length]} {
					frame := r.fromCaller(bpftest.RTP{})
					frame.Src, frame.Dst, frame.Payload = from, netip.AddrPortFrom(r.callerLocal.Addr(), port), payload
					if fate := r.fate(t, frame); length < 8 && fate != "drop_not_rtp" {
						t.Errorf("%x from %s: %s", payload, from, fate)
					}
				}
			}
		}
	}
	if after := state(); after != before {
		t.Errorf("the leg was %+v and is %+v", before, after)
	}
	want(t, "the caller", r.arrive(t, r.callerPeer, bpftest.RTP{Seq: 2, SSRC: 1}), "relayed")
}

// Of the packets of a key press userspace gets those that tell something new.
func TestKeysAreToldOfOnce(t *testing.T) {
	r := newRig(t, rigOptions{mode: ModeGeneric, static: true})
	r.openLegs(t)
	const begun, more, longest, ended = "050a00a0", "050a0140", "050affff", "058a0320"
	seq := uint16(0)
	for _, test := range []struct {
		name    string
		ssrc    uint32
		ts      uint32
		payload string
		padded  bool
		verdict string
	}{
		{name: "it begins", ssrc: 1, ts: 100, payload: begun, verdict: "to_user"},
		{name: "it goes on", ssrc: 1, ts: 100, payload: more, verdict: "repeated"},
		{name: "the same again", ssrc: 1, ts: 100, payload: begun, verdict: "repeated"},
		{name: "it ends", ssrc: 1, ts: 100, payload: ended, verdict: "to_user"},
		{name: "it ends again", ssrc: 1, ts: 100, payload: ended, verdict: "repeated"},
		{name: "a late packet", ssrc: 1, ts: 100, payload: more, verdict: "to_user"},
		{name: "the next", ssrc: 1, ts: 2000, payload: ended, verdict: "to_user"},
		{name: "another key at the same time", ssrc: 1, ts: 2000, payload: "068a0320", verdict: "to_user"},
		{name: "a long one", ssrc: 1, ts: 5000, payload: begun, verdict: "to_user"},
		{name: "its first segment is over", ssrc: 1, ts: 5000, payload: longest, verdict: "to_user"},
		{name: "that is repeated", ssrc: 1, ts: 5000, payload: longest, verdict: "repeated"},
		{name: "its second segment", ssrc: 1, ts: 5000 + 0xffff, payload: begun, verdict: "to_user"},
		{name: "two in one packet", ssrc: 1, ts: 5000 + 0xffff, payload: begun + ended, verdict: "to_user"},
		{name: "two in one packet again", ssrc: 1, ts: 5000 + 0xffff, payload: begun + ended, verdict: "to_user"},
		{name: "one of them", ssrc: 1, ts: 5000 + 0xffff, payload: begun, verdict: "to_user"},
		{name: "one with padding", ssrc: 1, ts: 5000 + 0xffff, payload: begun, padded: true, verdict: "to_user"},
		{name: "nothing", ssrc: 1, ts: 5000 + 0xffff, verdict: "to_user"},
		{name: "another source", ssrc: 2, ts: 5000 + 0xffff, payload: begun, verdict: "to_user"},
		{name: "it goes on there", ssrc: 2, ts: 5000 + 0xffff, payload: more, verdict: "repeated"},
	} {
		seq++
		payload, err := hex.DecodeString(test.payload)
		must(t, err)
		if test.ssrc == 2 && test.verdict == "to_user" {
			must(t, r.callerLeg.Configure(legConfig(addrPort("10.1.0.9", 4000), nil)))
			must(t, r.callerLeg.Configure(legConfig(r.callerPeer, nil))) // any source may be next
		}
		p := bpftest.RTP{Type: eventType, Seq: seq, TS: test.ts, SSRC: test.ssrc, Payload: payload}
		f := r.fromCaller(p)
		if test.padded {
			f.Payload[0] |= 0x20
		}
		want(t, test.name, r.fate(t, f), test.verdict)
	}
	s := r.stats(t, r.callerLeg)
	if told := r.verdicts(t)["to_user"]; s.RxPackets != uint64(seq) || s.RxUser != told {
		t.Errorf("%+v, %d told", s, told)
	}
}
