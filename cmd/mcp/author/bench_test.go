package author

import (
	"strings"
	"testing"

	"mcp/vxml/bench"
)

func TestBenchSaysWhereTimeGoes(t *testing.T) {
	var out strings.Builder
	err := printBench(&out, []bench.Result{
		{Name: "vxml.turn_us", Value: 41.25, Unit: "us/turn", Where: []bench.Stage{{Name: "script", Percent: 62.5}, {Name: "grammar", Percent: 37.5}}},
		{Name: "vxml.session_kib", Value: 70, Unit: "KiB"},
	})
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(strings.Fields(out.String()), " ")
	want := "vxml.turn_us 41.2 us/turn vxml.session_kib 70.0 KiB where the time of vxml.turn_us goes script 62.5 % grammar 37.5 %"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
