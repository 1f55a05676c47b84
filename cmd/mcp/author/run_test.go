package author

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const demoPage = `<vxml version="2.1"><form><var name="who" expr="session.caller.name"/>
	<field name="pin" type="digits?length=4"><prompt>Hello <value expr="who"/>. Your pin?</prompt></field>
	<block>Thank you.<exit namelist="pin"/></block></form></vxml>`

// runVXML runs the command with a page and returns what it printed.
func runVXML(t *testing.T, page, terminal string, args ...string) (string, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "a.vxml")
	if err := os.WriteFile(file, []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	cmd := Command("test", limited)
	cmd.SetArgs(append([]string{"run", file}, args...))
	cmd.SetIn(strings.NewReader(terminal))
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

func TestRun(t *testing.T) {
	script := filepath.Join(t.TempDir(), "steps")
	if err := os.WriteFile(script, []byte("dtmf:1234\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, run := range map[string]func() (string, error){
		"terminal": func() (string, error) { return runVXML(t, demoPage, "dtmf:1234\n", "--vars", "caller.name=Ann") },
		"script": func() (string, error) {
			return runVXML(t, demoPage, "", "--vars", "caller.name=Ann", "--script", script)
		},
	} {
		out, err := run()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, want := range []string{"system  Hello Ann. Your pin?", "caller  dtmf:1234", "system  Thank you.", "end  exit map[pin:1234]"} {
			if !strings.Contains(out, want) {
				t.Errorf("%s: no %q in\n%s", name, want, out)
			}
		}
	}
}

func TestRunFails(t *testing.T) {
	tests := []struct{ name, page, want string }{
		{"malformed page", "<vxml version='2.1'>\n<fomr/></vxml>", "a.vxml:2: <fomr>: VoiceXML has no such element"},
		{"unhandled event", `<vxml version="2.1"><form><block><throw event="error.mine"/></block></form></vxml>`, "error.mine"},
	}
	for _, tt := range tests {
		if _, err := runVXML(t, tt.page, ""); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.want)
		}
	}
}

// Variables are shown on request, and a terminal gets colours.
func TestRunShowsVariables(t *testing.T) {
	out, err := runVXML(t, demoPage, "show: who + '!'\nshow:nowhere\ndtmf:1234\n", "--vars", "caller.name=Ann")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`value  who + '!' = "Ann!"`, "value  nowhere = ReferenceError", "end  exit map[pin:1234]"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	var b strings.Builder
	for _, line := range []string{"  system  Hello.\n", "     end  exit\n"} {
		if n, err := (painter{&b}).Write([]byte(line)); n != len(line) || err != nil {
			t.Error(n, err)
		}
	}
	if got := b.String(); got != "\x1b[32m  system  Hello.\x1b[0m\n     end  exit\n" {
		t.Errorf("painted %q", got)
	}
}
