package main

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// Every command's help fits a terminal, but for examples, which are to be copied.
func TestHelpFits(t *testing.T) {
	var each func(*cobra.Command)
	each = func(cmd *cobra.Command) {
		var out strings.Builder
		cmd.SetOut(&out)
		if err := cmd.Help(); err != nil {
			t.Error(err)
		}
		for line := range strings.Lines(out.String()) {
			line = strings.TrimSuffix(line, "\n")
			if utf8.RuneCountInString(line) > helpWidth && !strings.Contains(cmd.Example, strings.TrimSpace(line)) {
				t.Errorf("%s: %d characters: %s", cmd.CommandPath(), utf8.RuneCountInString(line), line)
			}
		}
		if cmd.Short == "" {
			t.Errorf("%s does not say what it does", cmd.CommandPath())
		}
		for _, sub := range cmd.Commands() {
			each(sub)
		}
	}
	each(rootCommand())
}

func TestReflow(t *testing.T) {
	const text = "one two\nthree four\n\n  indented  as it is\nfive"
	if got, want := reflow(text, 9), "one two\nthree\nfour\n\n  indented  as it is\nfive"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
