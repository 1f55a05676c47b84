package main

import (
	"io"
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
		if !strings.Contains(cmd.Example, "mcp ") && cmd.Name() != "help" {
			t.Errorf("%s shows no example", cmd.CommandPath())
		}
		for _, sub := range cmd.Commands() {
			each(sub)
		}
	}
	each(rootCommand())
}

// A command line that is wrong fails, and its error says what to do.
func TestWrongCommandLines(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{line: "serv", want: `unknown command "serv" for "mcp"; did you mean serve?`},
		{line: "qwertz", want: `unknown command "qwertz" for "mcp"; mcp --help lists them`},
		{line: "config chekc", want: `unknown command "chekc" for "mcp config"; did you mean check?`},
		{line: "cdr qwertz", want: `unknown command "qwertz" for "mcp cdr"; mcp cdr --help lists them`},
		{line: "legs qwertz", want: `unknown command "qwertz" for "mcp legs"; usage: mcp legs [flags]`},
		{line: "vxml run", want: "accepts 1 arg(s), received 0; usage: mcp vxml run FILE-OR-URL [flags]"},
		{line: "plane status --qwertz", want: "unknown flag: --qwertz; mcp plane status --help lists the flags"},
		{line: "cdr list --last -1", want: "--last: -1 is below zero"},
	} {
		root := rootCommand()
		root.SetArgs(strings.Fields(c.line))
		root.SetOut(io.Discard)
		if err := root.Execute(); err == nil || err.Error() != c.want {
			t.Errorf("mcp %s: %v, want %s", c.line, err, c.want)
		}
	}
}

func TestReflow(t *testing.T) {
	const text = "one two\nthree four\n\n  indented  as it is\nfive"
	if got, want := reflow(text, 9), "one two\nthree\nfour\n\n  indented  as it is\nfive"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
