package connections

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const root = "../../.."

func TestTestsThatProveExist(t *testing.T) {
	for _, c := range All() {
		for _, p := range c.Proofs {
			have := testsOf(t, p.Package)
			for _, test := range p.Tests {
				if !slices.Contains(have, test) {
					t.Errorf("connection %d: %s has no %s", c.Number, p.Package, test)
				}
			}
		}
	}
}

func testsOf(t *testing.T, pkg string) (out []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, pkg, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range name.FindAllSubmatch(source, -1) {
			out = append(out, string(m[1]))
		}
	}
	return out
}

func TestDocumentationHasTheTable(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join(root, "deploy/README.md"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(doc), Markdown()) {
		t.Errorf("deploy/README.md should have this table:\n%s", Markdown())
	}
}

func TestRunsAreRead(t *testing.T) {
	in, err := os.Open("testdata/run.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	var out strings.Builder
	run, err := Read(in, "example", &out)
	if err != nil {
		t.Fatal(err)
	}
	if !run.Failed() {
		t.Error("a run in which tests failed is said to have passed")
	}
	for test, want := range map[string]string{"TestGood": actionPass, "TestBad": actionFail, "TestSkipped": actionSkip, "TestHung": actionFail, "TestNone": ""} {
		if got := run.outcome("mixed", test); got != want {
			t.Errorf("%s ended with %q, want %q", test, got, want)
		}
	}
	for _, want := range []string{"what the bad test said", "what the part said", "--- FAIL: TestBad", "FAIL\texample/mixed", "ok  \texample/good", "panic: gave up", "undefined: nothing", "not a line of JSON"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not shown in:\n%s", want, out.String())
		}
	}
	for _, not := range []string{"what the good test said", "=== RUN", "what nobody need read"} {
		if strings.Contains(out.String(), not) {
			t.Errorf("%q is shown in:\n%s", not, out.String())
		}
	}
}

func TestVerdicts(t *testing.T) {
	all := map[string]string{}
	for _, c := range All() {
		for _, p := range c.Proofs {
			for _, test := range p.Tests {
				all[p.Package+"."+test] = actionPass
			}
		}
	}
	with := func(change map[string]string) *Run {
		r := &Run{outcomes: map[string]string{}}
		for test, action := range all {
			r.outcomes[test] = action
		}
		for test, action := range change {
			r.outcomes[test] = action
		}
		return r
	}
	for _, test := range []struct {
		name    string
		change  map[string]string
		number  int
		outcome string
		missing []string
	}{
		{"all pass", nil, 15, Proved, nil},
		{"what only some machines have is skipped", map[string]string{"control/discovery.TestRealAgent": actionSkip}, 15, Proved, nil},
		{"what only some machines have fails", map[string]string{"control/discovery.TestRealAgent": actionFail}, 15, Failed, []string{"TestRealAgent"}},
		{"one is skipped", map[string]string{"control/discovery.TestTLS": actionSkip}, 15, NotRun, []string{"TestTLS"}},
		{"one never ran", map[string]string{"control/discovery.TestTLS": ""}, 15, NotRun, []string{"TestTLS"}},
		{"one is skipped, one fails", map[string]string{"control/certs.TestGateway": actionFail, "control/certs.TestFiles": actionSkip}, 9, Failed, []string{"TestGateway", "TestFiles"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, v := range Judge(with(test.change)) {
				outcome, missing := Proved, []string(nil)
				if v.Connection.Number == test.number {
					outcome, missing = test.outcome, test.missing
				}
				if v.Outcome != outcome || !slices.Equal(v.Missing, missing) {
					t.Errorf("connection %d is %s, missing %q; want %s, %q", v.Connection.Number, v.Outcome, v.Missing, outcome, missing)
				}
			}
		})
	}
}
