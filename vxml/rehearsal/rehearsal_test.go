package rehearsal

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"mcp/vxml"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const page = `<vxml version="2.1"><form><field name="n" type="digits?length=2"><prompt>Two digits.</prompt>
	<nomatch>Sorry.<reprompt/></nomatch></field><block>Thank you. Goodbye.</block></form></vxml>`

// rehearse rehearses the page.
func rehearse(t *testing.T, text string) Result {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{"a.vxml": page, "a.call": text} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return Run(t.Context(), vxml.New(vxml.Options{}), filepath.Join(dir, "a.call"))
}

func TestRun(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"as written", "# one\npage: a.vxml\nhear: Two digits\ndtmf: 12\nfilled: n = \"12\"\nhear: Thank you\nhear: Goodbye\nnever: Sorry\nend: exit\nevent: none", ""},
		{"nothing to look for", "page: a.vxml\ndtmf: 12", ""},
		{"hears something else", "page: a.vxml\nhear: Three digits\ndtmf: 12", `line 2: hear: Three digits: heard ["Two digits."]`},
		{"in another order", "page: a.vxml\ndtmf: 12\nhear: Goodbye\nhear: Thank you", "line 4: hear: Thank you"},
		{"only what is new", "page: a.vxml\nhear: Two\ndtmf: *\nhear: Sorry\nhear: Two\ndtmf: 12\nhear: Sorry", "line 7: hear: Sorry"},
		{"heard what must not be", "page: a.vxml\nnever: Goodbye\ndtmf: 12", "line 2: never: Goodbye"},
		{"another end", "page: a.vxml\ndtmf: 12\nend: hangup", "line 3: end: hangup: it was exit"},
		{"another event", "page: a.vxml\nhangup\nevent: noinput", "it was connection.disconnect.hangup"},
		{"another value", "page: a.vxml\ndtmf: 12\nfilled: n = \"13\"", "not filled so"},
		{"ends too early", "page: a.vxml\ndtmf: 12\nsay: more", "line 3: say: more: the session ended before this"},
		{"no page", "dtmf: 12", "no line says which page"},
		{"a page that is not there", "page: b.vxml", "b.vxml"},
		{"an unknown step", "page: a.vxml\nshout: hey", "unknown step"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := errors.Join(rehearse(t, tt.text).Faults...)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

func TestJUnit(t *testing.T) {
	var out strings.Builder
	err := JUnit(&out, []Result{rehearse(t, "page: a.vxml\ndtmf: 12"), rehearse(t, "page: a.vxml\nhear: <this>\ndtmf: 12")})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`tests="2" failures="1"`, "&lt;this&gt;", "<system-out>"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %s in\n%s", want, out.String())
		}
	}
}
