package e2e

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"mcp/bpf"
	"mcp/bpf/bpftest"
	"mcp/control/reporting"
	"mcp/control/sip"
)

// onKernel tells this test's binary, in the environment, to run its platforms on the
// kernel's plane, and where that is pinned.
const onKernel = "MCP_E2E_PINS"

// TestSpeechStaysInTheKernel runs the dialogues with speech servers again, on the XDP
// plane in a network namespace of their own, where each call's counters must show
// that no speech entered userspace. The other tests with speech have the socket plane
// only: Google, bots and assistants take and give audio that the platform itself holds,
// on either plane, and where a server fails there is nothing to count.
func TestSpeechStaysInTheKernel(t *testing.T) {
	dialogues := []string{"TestBargeIn", "TestSpokenAndKeyedDialogue", "TestDialogueOverMRCPv1", "TestMarksAndNBestReachThePage"}
	passOnKernel(t, "^("+strings.Join(dialogues, "|")+")$", dialogues...)
}

// TestProtectedCallBesideTheKernel runs a telephone's protected call again where the
// plane is the kernel's: the caller's ports pass to sockets, and what the speech
// server says comes from a leg in the kernel.
func TestProtectedCallBesideTheKernel(t *testing.T) {
	baresipModules(t)
	t.Parallel()
	passOnKernel(t, "^TestProtectedBaresipCalls$/^dtls_srtp$", "TestProtectedBaresipCalls", "TestProtectedBaresipCalls/dtls_srtp")
}

// TestCallWithoutRoomInTheKernel calls a platform whose plane was loaded with room for
// one leg. The second caller is refused with 503 and counted, the first one's call
// goes on, and the room that it leaves is the next caller's.
func TestCallWithoutRoomInTheKernel(t *testing.T) {
	pins := os.Getenv(onKernel)
	if pins == "" {
		t.Parallel()
		passOnKernel(t, "^TestCallWithoutRoomInTheKernel$", "TestCallWithoutRoomInTheKernel")
		return
	}
	plane, err := bpf.Load(bpf.Config{Dir: pins, Mode: bpf.ModeGeneric, Interfaces: []string{"lo"}, MaxLegs: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := plane.Close(); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, nil)
	r.pages.page("/main.vxml", `<property name="inputmodes" value="dtmf"/>
		<form><field name="a" type="digits"><prompt timeout="60s"/></field></form>`)
	ctx, hangUp := context.WithCancel(t.Context())
	defer hangUp()
	over := make(chan error, 1)
	go func() {
		_, err := r.call(ctx, "wait 60s")
		over <- err
	}()
	r.log.wait(t, "call answered")
	_, err = r.call(t.Context(), "await")
	var rejected *sip.RejectedError
	if !errors.As(err, &rejected) || rejected.Status != 503 {
		t.Errorf("the second caller got %v", err)
	}
	if n := r.metric("mcp_plane_full_total"); n != "1" {
		t.Errorf("%s refused legs are counted", n)
	}
	end := r.record(1).End
	if end.Cause != reporting.NoMedia || strings.Count(end.Error, "open leg caller") != 1 || !strings.HasSuffix(end.Error, bpf.ErrFull.Error()) {
		t.Errorf("the refused call ended by %s: %s", end.Cause, end.Error)
	}
	select {
	case err := <-over:
		t.Fatalf("the first call ended: %v", err)
	default:
	}
	hangUp()
	<-over
	await(t, "the first call's room", func() bool { return r.metric("mcp_media_legs") == "0" })
	if _, err := r.call(t.Context(), "wait 100ms"); err != nil {
		t.Errorf("the third caller got %v", err)
	}
}

// passOnKernel runs tests of this binary on the XDP plane, all of which must pass.
func passOnKernel(t *testing.T, pattern string, names ...string) {
	t.Helper()
	if os.Getenv(onKernel) != "" {
		t.Skip("this is such a run")
	}
	passApart(t, onKernel+"="+bpftest.BPFFS(t)+"/plane", pattern, names...)
}

// passApart runs tests of this binary, all of which must pass, in a network namespace
// of their own and with a variable that tells them so.
func passApart(t *testing.T, variable, pattern string, names ...string) {
	t.Helper()
	ns := bpftest.NewNetNS(t)
	// A telephone wants an address that is not loopback's.
	bpftest.Connect(t, &bpftest.End{NS: ns, Addrs: []string{"192.0.2.1/24"}}, &bpftest.End{NS: ns})
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.v", "-test.parallel=8", "-test.timeout=3m", "-test.run="+pattern)
	cmd.Env = append(os.Environ(), variable)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := ns.Do(cmd.Start); err != nil {
		t.Fatal(err)
	}
	err := cmd.Wait()
	for _, name := range names {
		if !strings.Contains(out.String(), "--- PASS: "+name+" ") {
			t.Errorf("%s has not passed", name)
		}
	}
	if err != nil || t.Failed() {
		t.Fatalf("%v\n%s", err, out.String())
	}
}

// staysInKernel checks, where the plane is the kernel's, that what a call heard from
// its speech server and said to it was relayed without entering userspace; all of it
// entered where the caller's leg is protected, which the kernel cannot do. It goes by
// what was sent: to an address of this machine no interface leads, so that what was
// stamped in the kernel is put on its way by userspace, and counts as handed where
// it was received.
func (r *rig) staysInKernel() {
	r.t.Helper()
	if r.cfg.Media.Plane == "socket" {
		return
	}
	media := r.record(1).Media
	protected := slices.ContainsFunc(media, func(l reporting.Leg) bool { return l.Name == "caller" && l.SRTP != "" })
	var spoken uint64
	for _, leg := range media {
		in, out := uint64(0), leg.Sent.Packets
		if protected {
			in, out = leg.Received.Packets, 0
		}
		if leg.Name != "caller" {
			spoken += leg.Received.Packets
			if leg.Received.User != in {
				r.t.Errorf("leg %s: %d of %d packets of speech went to userspace", leg.Name, leg.Received.User, leg.Received.Packets)
			}
		}
		if leg.Sent.Relayed != out || !protected && leg.Name == "caller" && leg.Sent.Relayed == 0 {
			r.t.Errorf("leg %s: %d of %d packets sent were relayed", leg.Name, leg.Sent.Relayed, leg.Sent.Packets)
		}
	}
	if spoken == 0 {
		r.t.Error("no speech was received")
	}
}
