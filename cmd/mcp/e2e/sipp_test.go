package e2e

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"mcp/cmd/mcplab/caller"
	"mcp/cmd/mcplab/sipbench"
	"mcp/control/node"
	"mcp/control/reporting"
)

func needSIPp(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("sipp"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("sipp is not installed")
		}
		t.Skip("sipp is not installed")
	}
}

// TestSIPpServices has SIPp ask for the services.
func TestSIPpServices(t *testing.T) {
	needSIPp(t)
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "closed.wav"), wav(caller.Hum(400, 300*time.Millisecond)), 0o644); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, func(c *node.Config) {
		c.Announcements.Directory = dir
		c.Application.Numbers = map[string]string{"1800": "annc;play=/provisioned/closed"}
	})
	r.pages.tunes()
	web := r.pages.server.URL
	b := newBob(t, "wait 300ms; hangup")
	r.pages.page("/blind.vxml", `<form><transfer name="t" type="blind" dest="sip:bob@127.0.0.1"/></form>`)
	r.pages.page("/dialog.vxml", `<form><block><prompt><audio src="/400/300ms"/></prompt><disconnect/></block></form>`)
	for path, attributes := range map[string]string{"/consultation.vxml": `type="consultation"`, "/bridge.vxml": `type="bridge"`, "/redirect.vxml": `type="bridge" method="mediaredirect"`} {
		r.pages.page(path, `<form><transfer name="t" dest="`+b.uri()+`" `+attributes+`/><block><disconnect/></block></form>`)
	}
	// A page that does not get its two keys waits for longer than SIPp does.
	r.pages.page("/keys.vxml", `<form><field name="pin"><grammar mode="dtmf" version="1.0" root="r" type="application/srgs+xml"><rule id="r"><item>1 2</item></rule></grammar><filled><prompt><audio src="/400/300ms"/></prompt><disconnect/></filled></field></form>`)
	for _, tt := range []struct {
		scenario string
		keys     []string
	}{
		{"uac_annc.xml", []string{"-key", "play", escape(web + "/400/300ms")}},
		{"uac_annc_missing.xml", nil},
		{"uac_unknown_service.xml", nil},
		{"uac_conf_unnamed.xml", nil},
		{"uac_blind_transfer.xml", []string{"-key", "page", escape(web + "/blind.vxml")}},
		{"uac_info_keys.xml", []string{"-key", "page", escape(web + "/keys.vxml")}},
		{"uac_msml.xml", []string{"-key", "audio", web + "/700/300ms"}},
		{"uac_hears_bye.xml", []string{"-s", "1800"}},
		{"uac_dialog.xml", []string{"-key", "page", escape(web + "/dialog.vxml")}},
		{"uac_dialog.xml", []string{"-key", "page", escape(web + "/bridge.vxml")}},
		{"uac_dialog_missing.xml", []string{"-key", "page", escape(web + "/none.vxml")}},
		{"uac_consultation.xml", []string{"-key", "page", escape(web + "/consultation.vxml")}},
		{"uac_media_redirect.xml", []string{"-key", "page", escape(web + "/redirect.vxml")}},
		{"uac_conf.xml", []string{"-d", "200"}},
		{"uac_record.xml", []string{"-d", "200"}},
		{"uac_bad_sdp.xml", nil},
		{"uac_no_codec.xml", nil},
	} {
		t.Run(tt.scenario, func(t *testing.T) { r.sipp(t, tt.scenario, tt.keys) })
	}
	r.nothingLeft()
}

// TestEveryScenarioIsPlayed looks for each of SIPp's scenarios in the tests.
func TestEveryScenarioIsPlayed(t *testing.T) {
	var played string
	for _, tests := range []string{"*_test.go", "../../../control/sip/*_test.go", "../../../control/service/siprec/*_test.go"} {
		files, err := filepath.Glob(tests)
		if err != nil || len(files) == 0 {
			t.Fatalf("no tests in %s: %v", tests, err)
		}
		for _, name := range files {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			played += string(text)
		}
	}
	scenarios, err := filepath.Glob("../../../scripts/sipp/*.xml")
	if err != nil || len(scenarios) < 40 {
		t.Fatalf("%d scenarios: %v", len(scenarios), err)
	}
	for _, path := range scenarios {
		if !strings.Contains(played, strconv.Quote(filepath.Base(path))) {
			t.Errorf("no test plays %s", path)
		}
	}
}

// TestSIPpKeys has SIPp's callers press the keys of the sizing guide's application, 52
// over 18 pages, all of which must come to the page that asks for them.
func TestSIPpKeys(t *testing.T) {
	needSIPp(t)
	if os.Geteuid() != 0 {
		t.Skip("sipp needs root to send keys")
	}
	t.Parallel()
	r := newRig(t, nil)
	for path, page := range sipbench.ProfilePages() {
		if path == "/page1.vxml" {
			path = "/main.vxml"
		}
		r.pages.handle(path, func(w http.ResponseWriter, _ *http.Request) {
			// A client that does not read has gone.
			_, _ = w.Write(page)
		})
	}
	const calls = 3
	r.sipp(t, "uac_keys.xml", []string{"-s", "ivr", "-m", strconv.Itoa(calls), "-r", "10"})
	for n := range calls {
		if rec := r.record(n + 1); rec.Dialogue == nil || rec.Dialogue.Pages != 18 || rec.End.Cause != reporting.Completed {
			t.Errorf("call %d: %+v %+v", n, rec.End, rec.Dialogue)
		}
	}
	if asked := r.pages.requests(); slices.Contains(asked, "/wrong.vxml") {
		t.Errorf("pages asked for: %s", asked)
	}
	r.nothingLeft()
}

// sipp plays a scenario once, or as often as the arguments say.
func (r *rig) sipp(t *testing.T, scenario string, args []string) {
	t.Helper()
	file, err := filepath.Abs(filepath.Join("../../../scripts/sipp", scenario))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	args = append([]string{strings.TrimPrefix(r.sip, "tcp:"), "-sf", file, "-t", "t1", "-m", "1", "-i", "127.0.0.1", "-trace_err", "-nostdin"}, args...)
	cmd := exec.CommandContext(ctx, "sipp", args...)
	cmd.Dir, cmd.WaitDelay = t.TempDir(), time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		found, _ := filepath.Glob(filepath.Join(cmd.Dir, "*_errors.log"))
		for _, name := range found {
			text, _ := os.ReadFile(name)
			out = append(out, text...)
		}
		t.Errorf("sipp: %v\n%s", err, out)
	}
}
