package author

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// runSuite runs a suite of two pages, one of which fails.
func runSuite(t *testing.T, args ...string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"good.vxml": `<vxml version="2.1"><form><block>pass</block></form></vxml>`,
		"bad.vxml":  `<vxml version="2.1"><form><block>fail</block></form></vxml>`,
		"manifest.json": `{"format": 1, "rule": "obey", "tests": [
			{"id": "1", "spec": "S", "entry": "good.vxml", "expect": "pass"},
			{"id": "2", "spec": "S", "entry": "bad.vxml", "expect": "pass"}]}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out strings.Builder
	cmd := Command("test", limited)
	cmd.SetArgs(append([]string{"suite", filepath.Join(dir, "manifest.json")}, args...))
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

func TestSuite(t *testing.T) {
	out, err := runSuite(t)
	if err == nil || !strings.Contains(out, "a page said fail") {
		t.Errorf("%v:\n%s", err, out)
	}
	file := filepath.Join(t.TempDir(), "build", "results.json")
	if _, err = runSuite(t, "--json", "--out", file); err == nil {
		t.Error("a test failed and the command did not")
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var report suiteReport
	if err := json.Unmarshal(text, &report); err != nil || len(report.Results) != 2 || report.Results[1].Outcome != "fail" {
		t.Errorf("%v: %s", err, text)
	}
}
