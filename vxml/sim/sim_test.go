package sim_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mcp/vxml"
	"mcp/vxml/sim"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const page = `<vxml version="2.1"><form>
	<field name="a" type="boolean"><prompt>Yes or no?</prompt><nomatch>What?<reprompt/></nomatch></field>
	<field name="n" type="digits?length=2"><prompt>Two digits, please.</prompt></field>
	<block><exit namelist="a n"/></block></form></vxml>`

// play runs the page with the caller's steps and returns what was printed.
func play(t *testing.T, caller func(out *strings.Builder) *sim.Caller) (vxml.Outcome, string, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "a.vxml")
	if err := os.WriteFile(file, []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	c := caller(&out)
	outcome, err := vxml.New(vxml.Options{}).Run(context.Background(), vxml.Start{URL: file, Trace: c.Trace}, c)
	if err != nil {
		t.Fatal(err)
	}
	return outcome, out.String(), c.Err()
}

func TestSteps(t *testing.T) {
	tests := []struct {
		name, steps string
		end         vxml.End
		contains    string
	}{
		{"a whole dialogue", "# a comment\n\nsay:yes\ndtmf:4 2\n", vxml.Exited, "filled  n = \"42\""},
		{"words that no grammar has", "say:perhaps\nsay:no\ndtmf:42", vxml.Exited, "What?"},
		{"a recognizer that is not sure", "say(0.1):yes\nsay:no\ndtmf:42", vxml.Exited, "What?"},
		{"the script ends", "say:yes", vxml.HungUp, "hangup"},
		{"a hang-up", "hangup", vxml.HungUp, "connection.disconnect.hangup"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out, text, err := play(t, func(out *strings.Builder) *sim.Caller { return sim.New(strings.NewReader(tt.steps), out) })
			if err != nil || out.End != tt.end || !strings.Contains(text, tt.contains) {
				t.Errorf("ended %s, %v:\n%s", out.End, err, text)
			}
		})
	}
}

func TestUnknownStep(t *testing.T) {
	for _, step := range []string{"shout:yes", "say(very):yes"} {
		if _, _, err := play(t, func(out *strings.Builder) *sim.Caller { return sim.New(strings.NewReader(step), out) }); err == nil {
			t.Errorf("%s was taken", step)
		}
	}
}

// A caller who does not wait cuts a prompt short that would last minutes.
func TestBarge(t *testing.T) {
	begin := time.Now()
	out, text, err := play(t, func(out *strings.Builder) *sim.Caller {
		c := sim.New(strings.NewReader("barge say:yes\nbarge dtmf:42"), out)
		c.Pace(time.Minute)
		return c
	})
	if err != nil || out.End != vxml.Exited || time.Since(begin) > 30*time.Second {
		t.Errorf("ended %s after %v, %v:\n%s", out.End, time.Since(begin), err, text)
	}
}
