package author

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mcp/vxml/script"
)

// limited is a configuration.
func limited(file string) (script.Limits, error) {
	switch file {
	case "":
		return script.Limits{}, nil
	case "small":
		return script.Limits{Work: 1000}, nil
	}
	return script.Limits{}, errors.New("there is no such file")
}

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
	cmd := Command("test", limited)
	args[1] = filepath.Join(dir, args[1])
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

func TestCheck(t *testing.T) {
	good := map[string]string{"a.vxml": demoPage}
	if out, err := author(t, good, "check", "a.vxml"); err != nil || !strings.Contains(out, "1 document, 0 problems; a script may have 200000 tokens and 1048576 bytes") {
		t.Errorf("%v:\n%s", err, out)
	}
	bad := map[string]string{"a.vxml": "<vxml version='2.1'>\n<form><block><goto next='none.vxml'/></block></form></vxml>"}
	if out, err := author(t, bad, "check", "a.vxml"); err == nil || !strings.Contains(out, "a.vxml:2: <goto>: ") {
		t.Errorf("%v:\n%s", err, out)
	}
}

// How large scripts may be is what the platform's configuration says.
func TestCheckByConfiguration(t *testing.T) {
	page := map[string]string{"a.vxml": "<vxml version='2.1'>\n<script>" + strings.Repeat("a();", 400) + "</script><form/></vxml>"}
	if out, err := author(t, page, "check", "a.vxml"); err != nil {
		t.Errorf("%v:\n%s", err, out)
	}
	out, err := author(t, page, "check", "a.vxml", "--config", "small")
	if err == nil || !strings.Contains(out, "a.vxml:2: <script>: the script is more work") || !strings.Contains(out, "a script may have 1000 tokens") {
		t.Errorf("%v:\n%s", err, out)
	}
	if out, err := author(t, page, "check", "a.vxml", "-c", "none"); err == nil || !strings.Contains(err.Error(), "no such file") {
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
