package sipbench

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestClimb(t *testing.T) {
	for limit, want := range map[int][2]int{0: {0, 0}, 49: {0, 0}, 60: {50, 60}, 1000: {940, 1000}, 12345: {11600, 12345}} {
		tries := 0
		got, err := climb(func(rate int) (bool, error) { tries++; return rate <= limit, nil })
		if err != nil || got < want[0] || got > want[1] || tries > 15 {
			t.Errorf("%d: %d after %d tries, %v", limit, got, tries, err)
		}
	}
}

func TestSettle(t *testing.T) {
	for limit, want := range map[int]int{1000: 1000, 950: 938, 900: 880, 1: 1} {
		last := 0
		if err := settle(1000, func(rate int) (bool, error) { last = rate; return rate <= limit, nil }); err != nil || last != want {
			t.Errorf("%d: %d, %v", limit, last, err)
		}
	}
	if err := settle(1000, func(int) (bool, error) { return false, nil }); err == nil {
		t.Error("a rate is found where none is served")
	}
}

func TestOutcomeOfSIPp(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := read(dir); err == nil {
		t.Error("an outcome without statistics")
	}
	write("stat.csv", "StartTime;FailedCall(C);Retransmissions(C);\nx;0;0;\ny;2;7;\n")
	write("call_1_rtt.csv", "Date_ms;response_time_ms;rtd_no\n1;4;1\n2;8;1\n3;100;1\n")
	if got, err := read(dir); err != nil || got != (load{failed: 2, resent: 7, p50: 8, p99: 100}) || got.clean() {
		t.Errorf("%+v, %v", got, err)
	}
	write("stat.csv", "StartTime;Other;\nx;0;\n")
	if _, err := read(dir); err == nil {
		t.Error("statistics without the columns")
	}
}

func TestComparison(t *testing.T) {
	r := report{Results: []Result{{Name: "sip.bare.cps", Value: 1000}, {Name: "sip.bare_deep.cps", Value: 1400}, {Name: "sip.vxml.cps", Value: 700},
		{Name: "sip.vxml.memory_kib", Value: 40}}}
	r.compare()
	for _, i := range []int{0, 1, 3} {
		if got := r.Results[i]; got.Against != nil {
			t.Errorf("%s is compared: %+v", got.Name, got.Against)
		}
	}
	want := []comparison{{"sip.bare.cps", 0.7, 0.6}, {"sip.bare_deep.cps", 0.5, 0.6}}
	if got := r.Results[2].Against; !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
}

func TestKeysAreCounted(t *testing.T) {
	metrics := "# HELP mcp_media_digits_total x\nmcp_media_digits_total 1.2e+06\nmcp_media_digits_lost_total 3\n" +
		"mcp_media_dropped_packets_total{reason=\"source\"} 9\nmcp_media_dropped_packets_total{reason=\"overrun\"} 4\n"
	if got, err := countKeys(strings.NewReader(metrics)); err != nil || got != (keys{found: 1_200_000, unread: 3, overrun: 4}) {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := countKeys(strings.NewReader("mcp_media_digits_total many\n")); err == nil {
		t.Error("many is a number")
	}
}
