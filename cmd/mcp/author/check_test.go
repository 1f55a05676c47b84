package author

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// author runs a command in a folder with files.
func author(t *testing.T, files map[string]string, args ...string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out strings.Builder
	cmd := Command("test")
	args[1] = filepath.Join(dir, args[1])
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

func TestCheck(t *testing.T) {
	good := map[string]string{"a.vxml": demoPage}
	if out, err := author(t, good, "check", "a.vxml"); err != nil || !strings.Contains(out, "1 document, 0 problems") {
		t.Errorf("%v:\n%s", err, out)
	}
	bad := map[string]string{"a.vxml": "<vxml version='2.1'>\n<form><block><goto next='none.vxml'/></block></form></vxml>"}
	if out, err := author(t, bad, "check", "a.vxml"); err == nil || !strings.Contains(out, "a.vxml:2: <goto>: ") {
		t.Errorf("%v:\n%s", err, out)
	}
}

func TestTest(t *testing.T) {
	page := strings.Replace(demoPage, "session.caller.name", "'Ann'", 1)
	files := map[string]string{
		"a.vxml": page, "good.call": "page: a.vxml\nhear: Hello Ann\ndtmf: 1234\nend: exit",
	}
	if out, err := author(t, files, "test", "."); err != nil || !strings.Contains(out, "ok") {
		t.Errorf("%v:\n%s", err, out)
	}
	files["bad.call"] = "page: a.vxml\nhear: Hello Bob\ndtmf: 1234"
	report := filepath.Join(t.TempDir(), "junit.xml")
	if out, err := author(t, files, "test", ".", "--junit", report); err == nil || !strings.Contains(out, "FAIL") || !strings.Contains(out, "Hello Bob") {
		t.Errorf("%v:\n%s", err, out)
	}
	if text, err := os.ReadFile(report); err != nil || !strings.Contains(string(text), `failures="1"`) {
		t.Errorf("%v: %s", err, text)
	}
	if _, err := author(t, map[string]string{"a.vxml": page}, "test", "."); err == nil {
		t.Error("a folder without dialogues passed")
	}
}
