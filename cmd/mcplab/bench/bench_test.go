package bench

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mcp/bpf/bpftest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// Every way to relay carries what it is measured with; the figures themselves
// are for `make bench`.
func TestEveryRelayCarries(t *testing.T) {
	bpftest.RequireRoot(t)
	const packets = 4000
	for name, start := range map[string]func(*course) (func() error, error){
		"null": startNull, "native": startNative, "generic": startGeneric, "fork": startFork, "socket": startSocket,
	} {
		t.Run(name, func(t *testing.T) {
			c, err := newCourse()
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				c.close(&err)
				if err != nil {
					t.Error(err)
				}
			}()
			stop, err := start(c)
			if err != nil {
				t.Fatal(err)
			}
			got, err := c.drive(t.Context(), packets, 10_000)
			if e := stop(); err == nil {
				err = e
			}
			if err != nil {
				return
			}
			if got.lost > 0.01 || got.nanoseconds <= 0 {
				t.Errorf("%+v", got)
			}
		})
	}
}

// Every way to play is heard, evenly or not: that depends on the machine.
func TestEveryPlayerIsHeard(t *testing.T) {
	bpftest.RequireRoot(t)
	if testing.Short() {
		t.Skip("takes seconds of recordings")
	}
	const streams = 16
	for _, r := range recitals() {
		t.Run(r.name, func(t *testing.T) {
			got, err := r.try(t.Context(), streams)
			if err != nil {
				t.Fatal(err)
			}
			// A part of the streams is listened to; a busy machine may keep it from most.
			if got.even.Packets < streams || got.nanoseconds <= 0 || got.even.P50 == 0 || got.even.Max < got.even.P99 {
				t.Errorf("%+v", got)
			}
		})
	}
}

// The whole platform plays while calls arrive.
func TestArrivals(t *testing.T) {
	bpftest.RequireRoot(t)
	if testing.Short() {
		t.Skip("takes seconds of calls")
	}
	platform := filepath.Join(t.TempDir(), "mcp")
	if out, err := exec.Command("go", "build", "-o", platform, "mcp/cmd/mcp").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	a := arrivals{platform: platform, rate: 10, length: 3 * time.Second, listen: 2 * time.Second}
	if !a.can() {
		t.Skip(sippProgram + " is not installed")
	}
	results, err := a.measure(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if r.Value <= 0 {
			t.Errorf("%+v", r)
		}
	}
}

func TestReport(t *testing.T) {
	r := Report{Machine: ThisMachine(), Commit: "abc", Results: []Result{
		{Name: nativeNS, Value: 100, Unit: "ns/packet", Against: socketNS},
		{Name: socketNS, Value: 5000, Unit: "ns/packet", Against: "absent"},
		{Name: nullPPS, Value: 10, isRate: true},
		{Name: "relay.native.pps", Value: 8, Against: nullPPS, Goal: 0.8, isRate: true},
	}}
	r.compare()
	dir := t.TempDir()
	if err := Save(dir, "media.json", r); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "media.json"))
	if err != nil {
		t.Fatal(err)
	}
	var back Report
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	if back.Results[0].Ratio != 50 || back.Results[1].Ratio != 0 || back.Results[3].Ratio != 0.8 || back.Machine.Kernel == "" {
		t.Errorf("%+v", back)
	}
	var table bytes.Buffer
	if err := r.Print(&table); err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(table.String(), "\n") {
		if len(line) > 80 {
			t.Errorf("the table is too wide: %q", line)
		}
	}
}
