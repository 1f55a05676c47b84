package rtpstream

import (
	"net/netip"
	"testing"
	"time"
)

var (
	signalled = netip.MustParseAddrPort("10.1.0.2:4000")
	natted    = netip.MustParseAddrPort("10.1.0.77:6000")
	attacker  = netip.MustParseAddrPort("10.1.0.66:4000")
)

// doorway is a gate and the time before it.
type doorway struct {
	*testing.T
	Gate
	now time.Time
}

func newDoorway(t *testing.T, p Peer) *doorway {
	d := &doorway{T: t, now: time.Unix(1e9, 0)}
	d.Connect(p, d.now)
	return d
}

func plain() Peer {
	return Peer{RTP: signalled, RTCP: above(signalled), Receive: true}
}

func latching(window time.Duration) Peer {
	p := plain()
	p.Latch, p.LatchFrom = window, natted.Addr()
	return p
}

func above(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr(), a.Port()+1) }

// step is a packet that arrives a while after the one before.
type step struct {
	what  string
	after time.Duration
	from  netip.AddrPort
	ssrc  uint32
	seq   uint16
	odd   bool // of no payload type that was agreed
	want  Refusal
}

func (d *doorway) walk(steps []step) {
	d.Helper()
	for _, s := range steps {
		d.now = d.now.Add(s.after)
		a := Arrival{From: s.from, Wanted: !s.odd, Now: d.now}
		a.SSRC, a.Sequence = s.ssrc, s.seq
		if got := d.RTP(a); got != s.want {
			d.Errorf("%s: %q, want %q", s.what, got, s.want)
		}
	}
}

func (d *doorway) wantFar(to netip.AddrPort, why Refusal) {
	d.Helper()
	if got, because := d.Far(d.now); got != to || because != why {
		d.Errorf("sends to %s, %q; want %s, %q", got, because, to, why)
	}
}

func (d *doorway) wantRTCP(to netip.AddrPort, shared bool, why Refusal) {
	d.Helper()
	if got, with, because := d.FarRTCP(d.now); got != to || with != shared || because != why {
		d.Errorf("reports to %s, shared %t, %q; want %s, %t, %q", got, with, because, to, shared, why)
	}
}

func TestOnlyTheSignalledSource(t *testing.T) {
	d := newDoorway(t, Peer{})
	d.wantFar(netip.AddrPort{}, Muted)
	d.wantRTCP(netip.AddrPort{}, true, Muted)
	d.walk([]step{{what: "before the answer", from: signalled, want: Muted}})
	d.Connect(plain(), d.now)
	d.wantFar(signalled, "")
	d.wantRTCP(above(signalled), false, "")
	d.walk([]step{
		{what: "another host", from: attacker, want: WrongFrom},
		{what: "another port", from: above(signalled), want: WrongFrom},
		{what: "as signalled", from: signalled},
		{what: "a strange type", from: signalled, odd: true},
	})
	held := plain()
	held.Receive = false
	d.Connect(held, d.now)
	d.walk([]step{{what: "on hold", from: signalled, want: Held}})
	d.Connect(Peer{}, d.now)
	d.walk([]step{{what: "muted again", from: signalled, want: Muted}})
}

func TestLatching(t *testing.T) {
	d := newDoorway(t, latching(time.Hour))
	d.wantFar(netip.AddrPort{}, Unlatched)
	d.wantRTCP(netip.AddrPort{}, false, Unlatched)
	d.walk([]step{
		{what: "a third host", from: attacker, ssrc: 9, seq: 1, want: WrongFrom},
		{what: "a third host again", from: attacker, ssrc: 9, seq: 2, want: WrongFrom},
		{what: "first", from: natted, ssrc: 1, seq: 10, want: Probation},
		{what: "other port meanwhile", from: above(natted), ssrc: 1, seq: 11, want: Probation},
		{what: "interrupted", from: natted, ssrc: 1, seq: 12, want: Probation},
		{what: "strange type", from: natted, ssrc: 1, seq: 13, odd: true, want: WrongType},
		{what: "other source", from: natted, ssrc: 2, seq: 13, want: Probation},
		{what: "first again", from: natted, ssrc: 1, seq: 65535, want: Probation},
		{what: "in sequence", from: natted, ssrc: 1, seq: 0},
		{what: "the signalled address, too late", from: signalled, ssrc: 1, seq: 1, want: WrongFrom},
	})
	d.wantFar(natted, "")
	d.wantRTCP(above(natted), false, "")
	d.Connect(latching(time.Hour), d.now)
	d.walk([]step{{what: "the same again", from: natted, ssrc: 1, seq: 1}})
	moved := latching(time.Hour)
	moved.RTP = above(signalled)
	d.Connect(moved, d.now)
	d.wantFar(netip.AddrPort{}, Unlatched)
	d.walk([]step{
		{what: "after a new offer", from: natted, ssrc: 1, seq: 2, want: Probation},
		{what: "the signalled address at another port", from: signalled, ssrc: 1, seq: 3, want: Probation},
		{what: "proven there", from: signalled, ssrc: 1, seq: 4},
	})
}

func TestLatchingWindowCloses(t *testing.T) {
	d := newDoorway(t, latching(time.Second))
	d.walk([]step{
		{what: "in the last moment", after: time.Second - 1, from: natted, ssrc: 1, seq: 1, want: Probation},
		{what: "too late", after: 1, from: natted, ssrc: 1, seq: 2, want: WrongFrom},
		{what: "as signalled", from: signalled, ssrc: 1, seq: 1},
	})
	d.wantFar(signalled, "")
	d.wantRTCP(above(signalled), false, "")
}

func TestSourceIsLocked(t *testing.T) {
	d := newDoorway(t, plain())
	d.walk([]step{
		{what: "first source", from: signalled, ssrc: 1, seq: 1},
		{what: "forged", from: signalled, ssrc: 2, seq: 2, want: WrongSSRC},
		{what: "first source goes on", from: signalled, ssrc: 1, seq: 2},
		{what: "not silent for long enough", after: ssrcHold - 1, from: signalled, ssrc: 2, seq: 3, want: WrongSSRC},
		{what: "after silence", after: 1, from: signalled, ssrc: 2, seq: 3, want: Probation},
		{what: "another", from: signalled, ssrc: 3, seq: 4, want: Probation},
		{what: "not proven", from: signalled, ssrc: 2, seq: 4, want: Probation},
		{what: "proven", from: signalled, ssrc: 2, seq: 5},
		{what: "the former one", from: signalled, ssrc: 1, seq: 3, want: WrongSSRC},
	})
	moved := plain()
	moved.RTP = natted
	d.Connect(moved, d.now)
	d.walk([]step{
		{what: "signalled anew", from: natted, ssrc: 4, seq: 3},
		{what: "locked again", from: natted, ssrc: 2, seq: 6, want: WrongSSRC},
	})
	if d.Heard() != d.now {
		t.Errorf("heard at %s, it is %s", d.Heard(), d.now)
	}
}

// A second's worth may come at once; beyond it the ceiling holds, for the far end only.
func TestCeiling(t *testing.T) {
	p := plain()
	p.Gap = time.Second / 50
	d := newDoorway(t, p)
	count := func(packets int) (taken int) {
		for range packets {
			d.RTP(Arrival{From: attacker, Wanted: true, Now: d.now})
			switch why := d.RTP(Arrival{From: signalled, Wanted: true, Now: d.now}); why {
			case "":
				taken++
			case TooMany:
			default:
				t.Fatalf("%q", why)
			}
		}
		return taken
	}
	for _, tt := range []struct {
		after      time.Duration
		sent, want int
	}{{0, 200, 51}, {0, 10, 0}, {p.Gap, 10, 1}, {p.Gap / 2, 10, 0}, {time.Second, 200, 50}, {time.Hour, 200, 51}} {
		d.now = d.now.Add(tt.after)
		if got := count(tt.sent); got != tt.want {
			t.Errorf("%s later: %d of %d, want %d", tt.after, got, tt.sent, tt.want)
		}
	}
}

func TestRTCPSources(t *testing.T) {
	shared, learned := plain(), latching(time.Hour)
	shared.RTCP = shared.RTP
	for _, tt := range []struct {
		what  string
		peer  Peer
		latch bool
		from  netip.AddrPort
		want  Refusal
	}{
		{"muted", Peer{}, false, signalled, Muted},
		{"its port", plain(), false, above(signalled), ""},
		{"RTP's port", plain(), false, signalled, ""},
		{"another port", plain(), false, above(above(signalled)), WrongFrom},
		{"another host", plain(), false, above(attacker), WrongFrom},
		{"the next port of a shared one", shared, false, above(signalled), WrongFrom},
		{"unlatched", learned, false, above(signalled), Unlatched},
		{"the signalled one after another was learned", learned, true, above(signalled), WrongFrom},
		{"learned", learned, true, natted, ""},
		{"next to the learned", learned, true, above(natted), ""},
		{"far from the learned", learned, true, above(above(natted)), WrongFrom},
	} {
		d := newDoorway(t, tt.peer)
		if tt.latch {
			d.walk([]step{
				{what: tt.what, from: natted, seq: 1, want: Probation},
				{what: tt.what, from: natted, seq: 2},
			})
		}
		if got := d.RTCP(tt.from, d.now); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.what, got, tt.want)
		}
	}
	newDoorway(t, shared).wantRTCP(signalled, true, "")
}

func TestRTCPCeiling(t *testing.T) {
	d := newDoorway(t, plain())
	taken := 0
	for range 200 {
		if d.RTCP(attacker, d.now) == "" {
			t.Fatal("an attacker's report is taken")
		}
		if d.RTCP(signalled, d.now) == "" {
			taken++
		}
	}
	if taken != 21 { // a second's worth and the one that opens it
		t.Errorf("%d reports at once", taken)
	}
	d.walk([]step{{what: "RTP has a ceiling of its own", from: signalled}})
}

func TestGateDoesNotAllocate(t *testing.T) {
	d := newDoorway(t, latching(time.Hour))
	var a Arrival
	if n := testing.AllocsPerRun(100, func() {
		a.From, a.Wanted, a.Now, a.Sequence = natted, true, d.now, a.Sequence+1
		d.RTP(a)
		d.RTCP(natted, d.now)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
