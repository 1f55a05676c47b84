package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"mcp/bpf"
	"mcp/bpf/bpftest"
)

// planeTool runs the tool in a namespace.
func planeTool(t *testing.T, ns *bpftest.NetNS, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	cmd := rootCommand()
	cmd.SetOut(&out)
	cmd.SetArgs(append([]string{"plane"}, args...))
	err := ns.Do(cmd.Execute)
	return out.String(), err
}

// An operator's life with the plane.
func TestPlaneVerbs(t *testing.T) {
	ns, pins := bpftest.NewNetNS(t), "--pins="+bpftest.BPFFS(t)+"/plane"
	if _, err := planeTool(t, ns, "upgrade", pins); err == nil || !strings.Contains(err.Error(), bpf.ErrNotLoaded.Error()) {
		t.Errorf("upgrade of nothing: %v", err)
	}
	for _, step := range []struct {
		args string
		want []string
	}{
		{"load --owner 500:501", []string{"loaded in generic mode: "}},
		{"status", []string{"mode    generic", "lo ", "relay_skb", "verified", "legs ", "ringbuf", "drop_source", "of 32768"}},
		{"upgrade", []string{"relay_skb", "as before"}},
		{"load --take-over", []string{"took over the plane that is loaded"}},
		{"status --interval 10ms", []string{"PACKETS/s"}},
		{"unload", nil},
	} {
		out, err := planeTool(t, ns, append(strings.Fields(step.args), pins)...)
		if err != nil {
			t.Fatalf("%s: %v", step.args, err)
		}
		for _, want := range step.want {
			if !strings.Contains(strings.ToLower(out), strings.ToLower(want)) {
				t.Errorf("%s does not say %q:\n%s", step.args, want, out)
			}
		}
	}
	for _, bad := range []string{"x", "1:", "-1", "1:2:3"} {
		if _, err := planeTool(t, ns, "load", pins, "--owner="+bad); err == nil {
			t.Errorf("owner %q was taken", bad)
		}
	}
}

func TestPlaneStatusAsJSON(t *testing.T) {
	ns, pins := bpftest.NewNetNS(t), "--pins="+bpftest.BPFFS(t)+"/plane"
	if _, err := planeTool(t, ns, "load", pins); err != nil {
		t.Fatal(err)
	}
	defer planeTool(t, ns, "unload", pins)
	out, err := planeTool(t, ns, "status", pins, "--json", "--interval=10ms")
	if err != nil {
		t.Fatal(err)
	}
	var r planeReport
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	if r.Mode != bpf.ModeGeneric || len(r.Programs) == 0 || r.Programs[0].Verified == 0 || len(r.Maps) == 0 ||
		r.Maps[0].Bytes == 0 || len(r.Rates) != len(r.Verdicts) || !r.Interfaces[0].Attached {
		t.Errorf("%+v", r)
	}
}

func TestRates(t *testing.T) {
	var before, now bpf.Status
	now.At = before.At.Add(2e9)
	before.Verdicts = []bpf.Verdict{{Name: "relayed", Packets: 10, Bytes: 1000}, {Name: "drop_late", Packets: 9}}
	now.Verdicts = []bpf.Verdict{{Name: "relayed", Packets: 30, Bytes: 5000}, {Name: "drop_late", Packets: 4}}
	got := ratesOf(before, now)
	want := []verdictRate{{"relayed", 10, 2000}, {"drop_late", 2, 0}}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%+v, want %+v", got[i], want[i])
		}
	}
	if ratesOf(now, now) != nil {
		t.Error("there are rates over no time")
	}
}
