package main

import (
	"bytes"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"mcp/bpf"
)

func port(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

// legsAt are a call's two legs, one that waits for its far end, and one that is
// muted, as they are so long after a fixed time.
func legsAt(now time.Time) []bpf.LegInfo {
	played := uint64(now.Sub(fixed) / (20 * time.Millisecond))
	caller := bpf.LegInfo{
		ID: 0xa1, Slot: 1, Local: port("10.0.2.1:20000"), Signalled: port("192.168.100.120:4000"), Far: port("203.0.113.200:61234"),
		AudioType: 0, EventType: 101, MaySend: true, MayReceive: true, RelayTo: 0xb2, Copy: true,
		Stats: bpf.LegStats{
			RxPackets: 1000 + played, RxBytes: 172000, RxRelayed: 990, RxLost: 11, RxJitter: 1250 * time.Microsecond,
			TxPackets: 1_234_567 + played, TxBytes: 212345, TxRelayed: 1_200_000, RTCP: 4,
			Dropped: map[string]uint64{"source": 12, "late": 3},
			Source:  bpf.Source{SSRC: 0xca11e4, Highest: 77, Lost: 11, At: now.Add(-12 * time.Millisecond)},
		},
		Stream:   bpf.StreamInfo{Started: true, SSRC: 0x1234abcd, Sequence: 65535, Timestamp: 4294967290, At: now.Add(-20 * time.Millisecond), SourceID: 0xb2},
		Captured: true, Owner: bpf.Owner{Call: "6f1c9e52-7d3b-4d0e-9a58-2f6e1c0b7a11", Role: "caller"},
	}
	server := bpf.LegInfo{
		ID: 0xb2, Slot: 2, Local: port("10.0.2.1:20002"), Signalled: port("10.0.1.2:23930"), Far: port("10.0.1.2:23930"),
		AudioType: 0, EventType: bpf.NoType, MaySend: true, RelayTo: 0xdead,
		Stats:  bpf.LegStats{TxPackets: 990, Source: bpf.Source{At: now.Add(-3 * time.Hour)}},
		Stream: bpf.StreamInfo{Started: true, SSRC: 0x77, Sequence: 8, Timestamp: 160, At: now.Add(-time.Minute)},
		Owner:  bpf.Owner{Call: "6f1c9e52-7d3b-4d0e-9a58-2f6e1c0b7a11", Role: "speech"},
	}
	waiting := bpf.LegInfo{
		ID: 0xc3, Slot: 3, Local: port("10.0.2.1:30000"), Signalled: port("10.0.1.9:4000"), AudioType: 8, EventType: 96,
		MaySend: true, MayReceive: true, Owner: bpf.Owner{Call: "9\x1b[31m", Role: "caller"},
	}
	muted := bpf.LegInfo{ID: 0xd4, Slot: 4, Local: port("10.0.2.1:20004"), AudioType: bpf.NoType, EventType: bpf.NoType}
	return []bpf.LegInfo{caller, server, waiting, muted}
}

var fixed = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// snapshotAt is the legs as a viewer sees them; watched: with a second before.
func snapshotAt(t *testing.T, v *legViewer, watched bool) snapshot {
	t.Helper()
	s := snapshot{}
	for i := range 2 {
		if i == 0 && !watched {
			continue
		}
		at := fixed.Add(time.Duration(i) * time.Second)
		v.read = func(string) ([]bpf.LegInfo, error) { return legsAt(at), nil }
		next, err := v.take(s)
		if err != nil {
			t.Fatal(err)
		}
		next.at = at
		if watched && i == 1 {
			next.past = time.Second
		}
		s = next
	}
	return s
}

func TestLegTables(t *testing.T) {
	for _, row := range []struct {
		golden  string
		watched bool
		width   int
		call    string
	}{
		{golden: "legs_80", width: 80},
		{golden: "legs_120", width: 120},
		{golden: "legs_wide"},
		{golden: "legs_watched", watched: true, width: 80},
		{golden: "legs_call", width: 80, call: "6f"},
		{golden: "legs_none", width: 80, call: "none"},
	} {
		v := legViewer{sort: "local", call: row.call}
		var out bytes.Buffer
		if err := legTable(&out, snapshotAt(t, &v, row.watched), row.width); err != nil {
			t.Fatal(err)
		}
		checkGolden(t, row.golden, out.String(), row.width)
	}
}

func TestStreamTables(t *testing.T) {
	for golden, width := range map[string]int{"streams_80": 80, "streams_wide": 0} {
		v := legViewer{sort: "local"}
		s := snapshotAt(t, &v, true)
		name, _ := namesOf(s.legs)
		var out bytes.Buffer
		if err := streamTable(s, name).Write(&out, width); err != nil {
			t.Fatal(err)
		}
		checkGolden(t, golden, out.String(), width)
	}
}

// checkGolden compares what was printed with a file, and holds it to the width.
// UPDATE_GOLDEN=1 in the environment writes the file instead.
func checkGolden(t *testing.T, name, got string, width int) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Error(err)
	}
	if string(want) != got {
		t.Errorf("%s: printed\n%s\nwant\n%s", name, got, want)
	}
	for _, line := range strings.Split(got, "\n") {
		if n := utf8.RuneCountInString(line); width > 0 && n > width {
			t.Errorf("%s: %d characters in a line: %s", name, n, line)
		}
	}
}

// Machines read the names of the fields: they stay as they are.
func TestJSON(t *testing.T) {
	for golden, print := range map[string]func(*legViewer, snapshot) error{
		"legs_json": printLegs, "streams_json": printStreams,
	} {
		var out bytes.Buffer
		v := legViewer{sort: "local", json: true, out: &out}
		if err := print(&v, snapshotAt(t, &v, true)); err != nil {
			t.Fatal(err)
		}
		checkGolden(t, golden, out.String(), 0)
	}
}

func TestLegOrders(t *testing.T) {
	for order, first := range map[string]uint64{
		"local": 0xa1, "call": 0xd4, "in": 0xa1, "out": 0xa1, "loss": 0xa1, "jitter": 0xa1, "heard": 0xc3, "drops": 0xa1,
	} {
		v := legViewer{sort: order}
		if s := snapshotAt(t, &v, false); s.legs[0].ID != first {
			t.Errorf("by %s, %x is first", order, s.legs[0].ID)
		}
	}
	if len(legOrders) != 8 {
		t.Error("an order is not tested")
	}
	cmd := legsCommand()
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	cmd.SetArgs([]string{"--sort", "beauty"})
	if err := cmd.Execute(); err == nil || !strings.Contains(err.Error(), "jitter") {
		t.Errorf("%v", err)
	}
}

func TestShortNumbers(t *testing.T) {
	for n, want := range map[uint64]string{
		0: "0", 99999: "99999", 100000: "100k", 999999: "999k", 1000000: "1.0M", 123456789: "123M", 1 << 63: "9223372T",
	} {
		if got := number(n); got != want {
			t.Errorf("%d is %s", n, got)
		}
	}
	for d, want := range map[time.Duration]string{
		-time.Second: "0ms", 999 * time.Millisecond: "999ms", 99 * time.Second: "99s", 100 * time.Second: "1m", 100 * time.Minute: "1h", 1000 * time.Hour: "1000h",
	} {
		if got := ago(d); got != want {
			t.Errorf("%s is %s", d, got)
		}
	}
}

func TestToolsSayWhatIsMissing(t *testing.T) {
	dir := t.TempDir() + "/plane"
	for _, row := range []struct {
		args []string
		want []string
	}{
		{[]string{"legs"}, []string{dir, "not loaded", "sockets"}},
		{[]string{"streams"}, []string{dir, "not loaded", "sockets"}},
		{[]string{"capture", "--leg", "10.0.2.1:20000"}, []string{"tcpdump", "'udp portrange 20000-20001 and host 10.0.2.1'"}},
		{[]string{"capture", "--leg", "[fd00::1]:20000"}, []string{"tcpdump", "'udp portrange 20000-20001 and host fd00::1'"}},
		{[]string{"capture", "--leg", ":20000"}, []string{"tcpdump", "'udp portrange 20000-20001'"}},
		{[]string{"capture", "--call", "x"}, []string{"tcpdump", "'udp portrange 20000-45000'"}},
		{[]string{"capture"}, []string{"leg-id", "call"}},
	} {
		cmd := rootCommand()
		cmd.SetOut(io.Discard)
		args := row.args
		if len(args) != 1 || args[0] != "capture" {
			args = append(args, "--pins", dir)
		}
		cmd.SetArgs(args)
		err := cmd.Execute()
		for _, want := range row.want {
			if !strings.Contains(fmt.Sprint(err), want) {
				t.Errorf("%v says %v, without %q", row.args, err, want)
			}
		}
	}
}
