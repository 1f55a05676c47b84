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

// speaking loads a plane whose one leg sends a packet every millisecond.
func speaking(t *testing.T) (dir string, leg *bpf.Leg) {
	t.Helper()
	ns := bpftest.NewNetNS(t)
	dir = bpftest.BPFFS(t) + "/plane"
	var plane *bpf.Plane
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(ns.Do(func() (err error) {
		plane, err = bpf.Load(bpf.Config{Dir: dir, Mode: bpf.ModeGeneric, MaxLegs: 8})
		return err
	}))
	t.Cleanup(func() {
		if err := plane.Close(); err != nil {
			t.Error(err)
		}
	})
	leg, err := plane.AddLeg(netip.MustParseAddrPort("127.0.0.1:20000"), 7)
	check(err)
	check(leg.Configure(bpf.LegConfig{
		Far:       bpf.FarEnd{RTP: netip.MustParseAddrPort("127.0.0.1:4000"), RTCP: netip.MustParseAddrPort("127.0.0.1:4001")},
		ClockRate: 8000, FrameTicks: 160, AudioType: 0, EventType: 101, MaySend: true, MayReceive: true,
	}))
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			if err := leg.Send(bpf.Packet{Ticks: 160, Data: make([]byte, 160)}); err != nil && ctx.Err() == nil {
				t.Errorf("send: %v", err)
				return
			}
			<-tick.C
		}
	}()
	t.Cleanup(func() { stop(); <-done })
	return dir, leg
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
	dir, leg := speaking(t)
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

// interrupted is what SIGINT does to the context; the summary comes all the same.
func TestCaptureIsInterrupted(t *testing.T) {
	dir, leg := speaking(t)
	ctx, interrupt := context.WithCancel(t.Context())
	type result struct {
		messages string
		err      error
	}
	done := make(chan result, 1)
	go func() {
		_, messages, err := command(ctx, "capture", "--pins", dir, "--leg", ":20000", "--out", "-")
		done <- result{messages, err}
	}()
	captured := func() bool {
		legs, err := bpf.InspectLegs(dir)
		if err != nil {
			t.Fatal(err)
		}
		return legs[0].ID == leg.ID() && legs[0].Captured
	}
	for deadline := time.Now().Add(patience); !captured(); {
		if time.Now().After(deadline) {
			t.Fatal("the leg is not captured")
		}
	}
	_, _, err := command(t.Context(), "capture", "--pins", dir, "--leg", ":20000", "--out", "-")
	if err == nil || !strings.Contains(err.Error(), "another capture is under way, by process ") {
		t.Errorf("second capture: %v", err)
	}
	interrupt()
	r := <-done
	if r.err != nil || !strings.HasSuffix(r.messages, " packets, 0 dropped\n") {
		t.Errorf("%v, said %q", r.err, r.messages)
	}
	if captured() {
		t.Error("the leg is still captured")
	}
}

func TestCaptureNamesWhatItDoesNotFind(t *testing.T) {
	dir, _ := speaking(t)
	for _, args := range [][]string{{"--leg", "127.0.0.1:20002"}, {"--leg-id", "12"}, {"--call", "12"}} {
		_, _, err := command(t.Context(), append([]string{"capture", "--pins", dir}, args...)...)
		if err == nil || !strings.Contains(err.Error(), args[1]) || !strings.Contains(err.Error(), "mcp legs") {
			t.Errorf("%v: %v", args, err)
		}
	}
}

func TestLegsOfAPlane(t *testing.T) {
	dir, _ := speaking(t)
	for _, noun := range []string{"legs", "streams"} {
		out, _, err := command(t.Context(), noun, "--pins", dir)
		lines := strings.Split(out, "\n")
		if err != nil || len(lines) < 3 || lines[0] != "local address 127.0.0.1" || !strings.HasPrefix(lines[2], ":20000 127.0.0.1:4000 ") &&
			!strings.HasPrefix(lines[2], ":20000  127.0.0.1:4000  ") {
			t.Errorf("%s: %v\n%s", noun, err, out)
		}
	}
}
