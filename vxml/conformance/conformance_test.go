package conformance

import (
	"context"
	"os"
	"path"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// suites lie beside the project: they are not ours to copy.
const suites = "../../../shared/suites"

// Every test that is not noted passes; those noted as failing still fail, or
// the note is out of date.
func TestW3C(t *testing.T) {
	for _, file := range []string{"w3c-vxml/manifest.json", "w3c-srgs/srgs-report-template-20021017.xml"} {
		t.Run(path.Dir(file), func(t *testing.T) { hold(t, filepath.Join(suites, file)) })
	}
}

func hold(t *testing.T, file string) {
	if _, err := os.Stat(file); err != nil {
		t.Skipf("the W3C's tests are not here: %v", err)
	}
	rows, err := RunAny(context.Background(), file)
	if err != nil {
		t.Fatal(err)
	}
	known, err := readNotes()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		fails := known.about(r.Suite, r.ID).Fails
		switch {
		case r.Outcome == Failed && fails == "":
			t.Errorf("%s (%s): %s", r.ID, r.Section, r.Reason)
		case r.Outcome == Passed && fails != "":
			t.Errorf("%s passes and is noted to fail: %s", r.ID, fails)
		}
	}
}

// suite writes a suite of one page and runs it.
func suite(t *testing.T, body, expect string) Row {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a.vxml":        `<vxml version="2.1" xmlns="http://www.w3.org/2001/vxml">` + body + `</vxml>`,
		"manifest.json": `{"format": 1, "rule": "obey", "tests": [{"id": "a", "spec": "S", "entry": "a.vxml", "expect": "` + expect + `"}]}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := Run(context.Background(), filepath.Join(dir, "manifest.json"))
	if err != nil || len(rows) != 1 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	return rows[0]
}

func TestJudgement(t *testing.T) {
	tests := []struct {
		name, body, expect string
		want               Outcome
	}{
		{"pass", `<form><block>pass</block></form>`, "pass", Passed},
		{"fail", `<form><block><prompt>fail</prompt><prompt>pass</prompt></block></form>`, "pass", Failed},
		{"silent", `<form><block>hello</block></form>`, "pass", Failed},
		{"silent is enough", `<form><block>hello</block></form>`, "no-fail", Passed},
		{"unhandled error", `<form><block><throw event="error.x"/></block></form>`, "no-fail", Failed},
		{"no page", `<fomr/>`, "no-fail", Failed},
		{"never ends", `<form><field name="a" type="boolean"/></form>`, "no-fail", Failed},
		{"odd expectation", `<form><block>pass</block></form>`, "joy", Failed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if r := suite(t, tt.body, tt.expect); r.Outcome != tt.want {
				t.Errorf("%s: %s", r.Outcome, r.Reason)
			}
		})
	}
}

func TestObedience(t *testing.T) {
	tests := []struct{ said, want string }{
		{"Say 'Chicago'.", "say:Chicago"},
		{"Say 'Chicago' one more time.", "say:Chicago"},
		{"Say New York.", "say:New York"},
		{"Press '12' again.", "dtmf:12"},
		{"No input expected. Say nothing again", "silence"},
		{"Say something unrecognizable now", "say:xyzzy plugh"},
		{"Recite a sentence containing the word 'apple' please", "say:yesterday they spoke about apple for a while"},
		{"Recite your favorite nursery rhyme", "say:humpty dumpty sat on a wall"},
		{"Hang up now.", "hangup"},
		{"Welcome.", "silence"},
	}
	for _, tt := range tests {
		if got := (&obedient{}).answer([]string{"Say 'before'.", tt.said}); tt.said != "Welcome." && got != tt.want {
			t.Errorf("%q: %q, want %q", tt.said, got, tt.want)
		}
		if got := (&obedient{}).answer([]string{tt.said}); got != tt.want {
			t.Errorf("%q alone: %q, want %q", tt.said, got, tt.want)
		}
	}
}
