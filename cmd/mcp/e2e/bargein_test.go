package e2e

import (
	"strings"
	"testing"
	"time"

	"mcp/cmd/mcplab/caller"
)

// long is a prompt of six seconds.
var long = strings.TrimSpace(strings.Repeat("word ", 30))

// heardFor is how long the caller heard somebody.
func heardFor(s *caller.Summary) time.Duration {
	var sum time.Duration
	for _, h := range s.Heard {
		sum += h.Duration
	}
	return sum
}

// TestBargeIn interrupts a prompt of six seconds, by voice and by key, soon after
// it began.
func TestBargeIn(t *testing.T) {
	for name, c := range map[string]struct{ grammar, script, query string }{
		"by voice": {voiceGrammar, "hear; say yes; await", "f=yes"},
		"by key":   {dtmfGrammar, "hear; dtmf 1234; await", "f=1234"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			r.pages.page("/main.vxml", `<form><field name="f"><prompt>`+long+`</prompt>`+c.grammar+
				`<filled><submit next="/end.vxml" namelist="f"/></filled></field></form>`)
			r.pages.page("/end.vxml", `<form><block><prompt>Bye then</prompt><disconnect/></block></form>`)
			summary, err := r.call(t.Context(), c.script)
			if err != nil {
				t.Fatal(err)
			}
			if heard := heardFor(summary); heard > 3*time.Second {
				t.Errorf("the caller heard the prompt for %v", heard)
			}
			if faults := summary.Received.Faults(); len(faults) > 0 {
				t.Error(faults)
			}
			asked := r.pages.requests()
			if last := asked[len(asked)-1]; !strings.HasSuffix(last, c.query) {
				t.Errorf("the last page asked for is %s, want %s", last, c.query)
			}
			r.nothingLeft()
		})
	}
}

// TestPromptThatMustBeHeard is not interrupted by voice.
func TestPromptThatMustBeHeard(t *testing.T) {
	r := newRig(t, nil)
	r.pages.page("/main.vxml", `<form><block><prompt bargein="false">`+long+`</prompt></block>
		<field name="f">`+voiceGrammar+`<filled><disconnect/></filled></field></form>`)
	summary, err := r.call(t.Context(), "hear; say yes; listen; say yes; await")
	if err != nil {
		t.Fatal(err)
	}
	if heard := heardFor(summary); heard < 5*time.Second {
		t.Errorf("the caller heard the prompt for %v only", heard)
	}
	r.nothingLeft()
}
