package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestSIPpServices has SIPp ask for the services.
func TestSIPpServices(t *testing.T) {
	if _, err := exec.LookPath("sipp"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("sipp is not installed")
		}
		t.Skip("sipp is not installed")
	}
	r := newRig(t, nil)
	r.pages.tunes()
	web := r.pages.server.URL
	r.pages.page("/blind.vxml", `<form><transfer name="t" type="blind" dest="sip:bob@127.0.0.1"/></form>`)
	for _, tt := range []struct {
		scenario string
		keys     []string
	}{
		{"uac_annc.xml", []string{"-key", "play", escape(web + "/400/300ms")}},
		{"uac_annc_missing.xml", nil},
		{"uac_unknown_service.xml", nil},
		{"uac_conf_unnamed.xml", nil},
		{"uac_blind_transfer.xml", []string{"-key", "page", escape(web + "/blind.vxml")}},
		{"uac_msml.xml", []string{"-key", "audio", web + "/700/300ms"}},
	} {
		t.Run(tt.scenario, func(t *testing.T) { r.sipp(t, tt.scenario, tt.keys) })
	}
	r.nothingLeft()
}

// sipp plays a scenario once.
func (r *rig) sipp(t *testing.T, scenario string, keys []string) {
	t.Helper()
	file, err := filepath.Abs(filepath.Join("../../../scripts/sipp", scenario))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	args := append([]string{strings.TrimPrefix(r.sip, "tcp:"), "-sf", file, "-t", "t1", "-m", "1", "-i", "127.0.0.1", "-trace_err", "-nostdin"}, keys...)
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
