package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestReadmeConfiguration checks the configuration that the README shows, which an
// author's machine has not the files of.
func TestReadmeConfiguration(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(readme), "```yaml\n")
	text, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatal("the README shows no configuration")
	}
	file := filepath.Join(t.TempDir(), "mcp.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	check := func(flags ...string) (string, error) {
		var out strings.Builder
		cmd := rootCommand()
		cmd.SetOut(&out)
		cmd.SetErr(&out)
		cmd.SetArgs(append([]string{"config", "check", "--config", file}, flags...))
		err := cmd.Execute()
		return out.String(), err
	}
	if out, err := check("--files=false"); err != nil || !strings.Contains(out, "http://web.example/main.vxml") {
		t.Errorf("%v\n%s", err, out)
	}
	_, err = check()
	for _, key := range []string{"recording.certificates.files[0]: open /etc/mcp/recording.pem: ", "discovery.token-file: open /etc/mcp/consul-token: "} {
		if err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%v does not say %q", err, key)
		}
	}
}
