package demo

import (
	"strings"
	"testing"

	"mcp/cmd/mcplab/caller"
	"mcp/control/reporting"
)

// good is a run in which nothing was wrong.
func good() *verdict {
	f := &facts{
		told: told{
			plane: "xdp-native", understood: []string{"sales"}, digits: "12", pages: []string{"a", "b"},
			spokenMS: 3000, sessions: []rtpCount{{sent: 200, received: 100}},
		},
		call: &caller.Summary{CallID: "x", EndedBy: "platform", SentEvents: 16,
			Received: caller.Continuity{SSRCs: []uint32{1}, Packets: 200}},
		record: &reporting.Record{SIPCallID: "x", End: reporting.End{Cause: reporting.Disconnected, By: reporting.Application}, Media: []reporting.Leg{
			{Name: "caller", Received: reporting.Received{Packets: 400, Relayed: 100, User: 16}, Sent: reporting.Sent{Packets: 200, Relayed: 200}},
			{Name: "speech", Received: reporting.Received{Packets: 200, Relayed: 200}, Sent: reporting.Sent{Packets: 100, Relayed: 100}},
		}},
		records: 1,
	}
	sentences := []string{"you chose sales", "you entered one two"}
	v := &verdict{facts: f, options: Options{Answer: "sales", Digits: "12", Plane: "auto"}, expected: sentences}
	for _, s := range sentences {
		v.heard = append(v.heard, utterance{Segment: caller.Segment{Duration: 1e9, Level: -20}, sentences: []string{s}})
	}
	return v
}

func failures(v *verdict) string {
	var failed []string
	for _, c := range v.checks() {
		if !c.ok {
			failed = append(failed, c.name)
		}
	}
	return strings.Join(failed, "; ")
}

func TestAGoodRunPasses(t *testing.T) {
	if failed := failures(good()); failed != "" {
		t.Error(failed)
	}
}

func TestEverythingThatCanBeWrongIsFound(t *testing.T) {
	for _, tc := range []struct {
		name  string
		spoil func(*verdict)
		want  string
	}{
		{"a sentence was not heard", func(v *verdict) { v.heard = v.heard[1:] }, "heard what the application said"},
		{"silence", func(v *verdict) { v.heard = nil }, "heard what the application said"},
		{"clipped speech", func(v *verdict) { v.facts.spokenMS = 9000 }, "lasts as long"},
		{"whispered speech", func(v *verdict) { v.heard[0].Level = -60 }, "loud enough"},
		{"misunderstood", func(v *verdict) { v.facts.understood = []string{"billing"} }, "understood what the caller said"},
		{"a key twice", func(v *verdict) { v.facts.digits = "112" }, "took the keys"},
		{"wrong answer read back", func(v *verdict) { v.heard[0].sentences[0] = "you chose billing" }, "read back the answer"},
		{"wrong digits read back", func(v *verdict) { v.heard[1].sentences[0] = "you entered one three" }, "read back the digits"},
		{"one page only", func(v *verdict) { v.facts.pages = v.facts.pages[:1] }, "more than one page"},
		{"two SSRCs", func(v *verdict) { v.facts.call.Received.SSRCs = []uint32{1, 2} }, "one SSRC"},
		{"a hole", func(v *verdict) { v.facts.call.Received.Lost = 1 }, "gapless"},
		{"a step back", func(v *verdict) { v.facts.call.Received.Backwards = 1 }, "monotonic"},
		{"strangers", func(v *verdict) { v.facts.call.Received.Strays = 1 }, "nothing else"},
		{"lost on the way in", func(v *verdict) { v.facts.record.Media[0].Received.Lost = 1 }, "no packet was lost"},
		{"lost on the way to the recognizer", func(v *verdict) { v.facts.sessions[0].received-- }, "no packet was lost"},
		{"lost on the way to the caller", func(v *verdict) { v.facts.call.Received.Packets-- }, "no packet was lost"},
		{"relayed in userspace", func(v *verdict) { v.facts.record.Media[0].Received.User = 30 }, "caller to recognizer"},
		{"not relayed at all", func(v *verdict) {
			v.facts.record.Media[1].Received.Relayed, v.facts.record.Media[1].Received.User = 0, 0
		}, "synthesizer to caller"},
		{"socket plane unasked", func(v *verdict) { v.facts.plane = "socket"; v.facts.record.Media[0].Received.Relayed = 0 }, "caller to recognizer"},
		{"a leg left", func(v *verdict) { v.facts.legs = 1 }, "no leg is left"},
		{"caller hung up", func(v *verdict) { v.facts.call.EndedBy = "caller" }, "the application ended the call"},
		{"two records", func(v *verdict) { v.facts.records = 2 }, "one record"},
		{"a warning", func(v *verdict) { v.facts.problems = []string{"platform: x"} }, "no program had a complaint"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v := good()
			tc.spoil(v)
			if failed := failures(v); !strings.Contains(failed, tc.want) {
				t.Errorf("failed %q, want %q", failed, tc.want)
			}
		})
	}
}

func TestSocketPlaneAskedForIsNotJudgedByTheKernel(t *testing.T) {
	v := good()
	v.options.Plane, v.facts.plane = "socket", "socket"
	v.facts.record.Media[0].Received.Relayed, v.facts.record.Media[1].Received.Relayed = 0, 0
	if failed := failures(v); failed != "" {
		t.Error(failed)
	}
}
