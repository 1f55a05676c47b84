package main

import (
	"bytes"
	"context"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"mcp/bpf"
	"mcp/bpf/bpftest"
)

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// speaker is a plane whose first leg sends a packet every millisecond.
type speaker struct {
	dir   string
	plane *bpf.Plane
	leg   *bpf.Leg
}

func newSpeaker(t *testing.T) *speaker {
	t.Helper()
	ns := bpftest.NewNetNS(t)
	s := &speaker{dir: bpftest.BPFFS(t) + "/plane"}
	check(t, ns.Do(func() (err error) {
		s.plane, err = bpf.Load(bpf.Config{Dir: s.dir, Mode: bpf.ModeGeneric, MaxLegs: 8})
		return err
	}))
	t.Cleanup(func() { check(t, s.plane.Close()) })
	s.leg = s.open(t, 20000, "call-1")
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			if err := s.leg.Send(bpf.Packet{Ticks: 160, Data: make([]byte, 160)}); err != nil && ctx.Err() == nil {
				t.Errorf("send: %v", err)
				return
			}
			<-tick.C
		}
	}()
	t.Cleanup(func() { stop(); <-done })
	return s
}

// open opens a leg of a call.
func (s *speaker) open(t *testing.T, port uint16, call string) *bpf.Leg {
	t.Helper()
	local := netip.MustParseAddr("127.0.0.1")
	leg, err := s.plane.AddLeg(netip.AddrPortFrom(local, port), 7)
	check(t, err)
	check(t, leg.Configure(bpf.LegConfig{
		Far:       bpf.FarEnd{RTP: netip.AddrPortFrom(local, 4000), RTCP: netip.AddrPortFrom(local, 4001)},
		ClockRate: 8000, FrameTicks: 160, AudioType: 0, EventType: 101, MaySend: true, MayReceive: true,
	}))
	check(t, leg.Own(bpf.Owner{Call: call, Role: "caller"}))
	return leg
}

// awaitCaptured waits until a leg is captured, or is no more.
func (s *speaker) awaitCaptured(t *testing.T, leg *bpf.Leg, want bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		legs, err := bpf.InspectLegs(s.dir)
		check(t, err)
		for _, l := range legs {
			if l.ID == leg.ID() && l.Captured == want {
				return
			}
		}
	}
	t.Fatalf("leg %s is not captured=%t", leg.Local(), want)
}

// result is what a command leaves.
type result struct {
	out, messages string
	err           error
}

// start runs a command until it is interrupted, as SIGINT does by the context.
func start(t *testing.T, args ...string) (interrupt func() result) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan result, 1)
	go func() {
		out, messages, err := command(ctx, args...)
		done <- result{out, messages, err}
	}()
	return func() result {
		cancel()
		return <-done
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// command runs mcp as a shell would.
func command(ctx context.Context, args ...string) (out, messages string, err error) {
	var o, m bytes.Buffer
	cmd := rootCommand()
	cmd.SetArgs(args)
	cmd.SetOut(&o)
	cmd.SetErr(&m)
	err = cmd.ExecuteContext(ctx)
	return o.String(), m.String(), err
}

func TestCaptureStopsWhenItHasEnough(t *testing.T) {
	s := newSpeaker(t)
	dir, leg := s.dir, s.leg
	file := t.TempDir() + "/leg.pcapng"
	_, messages, err := command(t.Context(), "capture", "--pins", dir, "--leg", "127.0.0.1:20000", "--packets", "5", "--out", file)
	if err != nil || !strings.HasSuffix(messages, "\n5 packets, 0 dropped\n") {
		t.Errorf("%v, said %q", err, messages)
	}
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() < 5*200 || info.Mode().Perm() != 0o600 {
		t.Errorf("%d octets, mode %v", info.Size(), info.Mode())
	}
	for _, args := range [][]string{{"--leg", ":20000"}, {"--leg-id", legID(leg.ID())}, {"--call", ""}} {
		out, _, err := command(t.Context(), append([]string{"capture", "--pins", dir, "--packets", "1", "--out", "-"}, args...)...)
		if args[0] == "--call" {
			if err == nil {
				t.Error("no call is a call")
			}
			continue
		}
		if err != nil || !strings.HasPrefix(out, "\x0a\x0d\x0d\x0a") {
			t.Errorf("%v: %v, %d octets", args, err, len(out))
		}
	}
}

func TestCaptureIsInterrupted(t *testing.T) {
	s := newSpeaker(t)
	interrupt := start(t, "capture", "--pins", s.dir, "--leg", ":20000", "--out", "-")
	s.awaitCaptured(t, s.leg, true)
	_, _, err := command(t.Context(), "capture", "--pins", s.dir, "--leg", ":20000", "--out", "-")
	if err == nil || !strings.Contains(err.Error(), "another capture is under way, by process ") {
		t.Errorf("second capture: %v", err)
	}
	if r := interrupt(); r.err != nil || !strings.HasSuffix(r.messages, " packets, 0 dropped\n") {
		t.Errorf("%v, said %q", r.err, r.messages)
	}
	s.awaitCaptured(t, s.leg, false)
}

func TestCaptureFollowsItsCall(t *testing.T) {
	s := newSpeaker(t)
	interrupt := start(t, "capture", "--pins", s.dir, "--call", "call-1", "--out", "-")
	s.awaitCaptured(t, s.leg, true)
	other := s.open(t, 20004, "call-2")
	later := s.open(t, 20002, "call-1")
	s.awaitCaptured(t, later, true)
	s.awaitCaptured(t, other, false)
	check(t, later.Send(bpf.Packet{Ticks: 160, Data: []byte("said by the one that came later")}))
	r := interrupt()
	if r.err != nil {
		t.Error(r.err)
	}
	for _, want := range []string{"leg 127.0.0.1:20000", "leg 127.0.0.1:20002", "caller of call call-1", "said by the one that came later"} {
		if !strings.Contains(r.out, want) {
			t.Errorf("%q is not in the file", want)
		}
	}
}

func TestCaptureNamesWhatItDoesNotFind(t *testing.T) {
	s := newSpeaker(t)
	s.open(t, 20004, "call-2")
	for _, row := range []struct{ flag, value, want string }{
		{"--leg", "127.0.0.1:20002", "mcp legs shows the 2 there are"},
		{"--leg-id", "12", "mcp legs shows the 2 there are"},
		{"--call", "call-12", "mcp legs shows the 2 there are"},
		{"--call", "all", "legs of several calls are open whose call contains \"all\": call-1, call-2"},
	} {
		_, _, err := command(t.Context(), "capture", "--pins", s.dir, row.flag, row.value)
		if err == nil || !strings.Contains(err.Error(), row.value) || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s %s: %v", row.flag, row.value, err)
		}
	}
}

func TestLegsOfAPlane(t *testing.T) {
	dir := newSpeaker(t).dir
	for _, noun := range []string{"legs", "streams"} {
		out, _, err := command(t.Context(), noun, "--pins", dir)
		lines := strings.Split(out, "\n")
		if err != nil || len(lines) < 3 || lines[0] != "local address 127.0.0.1" || !strings.HasPrefix(lines[2], ":20000 127.0.0.1:4000 ") &&
			!strings.HasPrefix(lines[2], ":20000  127.0.0.1:4000  ") {
			t.Errorf("%s: %v\n%s", noun, err, out)
		}
	}
}
