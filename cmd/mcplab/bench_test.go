package main

import (
	"io"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// Every measurement is a verb of "bench", and its help shows how it is called.
func TestBenchHelp(t *testing.T) {
	for _, verb := range []string{"media", "mix", "sip", "ports", "speech", "reporting"} {
		help, err := run(t, "bench", verb, "--help")
		if err != nil {
			t.Errorf("%s: %v", verb, err)
		}
		if !strings.Contains(help, "  mcplab bench "+verb+" --") || !strings.Contains(help, "--out string") {
			t.Errorf("%s: help has no example or no folder of the results:\n%s", verb, help)
		}
	}
	family, err := run(t, "bench")
	if err != nil || !strings.Contains(family, "reporting ") || strings.Contains(family, "wakes") {
		t.Errorf("bench: %v, and this help:\n%s", err, family)
	}
}

func TestBenchRefuses(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{line: "bench qwertz", want: `unknown command "qwertz" for "mcplab bench"`},
		{line: "bench --only relay", want: "unknown flag: --only"},
		{line: "bench mix qwertz", want: `unknown command "qwertz" for "mcplab bench mix"`},
		{line: "bench sip --held --refusals", want: "[held refusals] were all set"},
	} {
		if _, err := run(t, strings.Fields(c.line)...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, not %q", c.line, err, c.want)
		}
	}
}

// Every command shows how it is called.
func TestExamples(t *testing.T) {
	var visit func(*cobra.Command)
	visit = func(cmd *cobra.Command) {
		for _, sub := range cmd.Commands() {
			visit(sub)
			if !strings.Contains(sub.Example, sub.CommandPath()) {
				t.Errorf("%s has no example", sub.CommandPath())
			}
		}
	}
	visit(rootCommand())
}

// run is a command line's output.
func run(t *testing.T, line ...string) (string, error) {
	t.Helper()
	var out strings.Builder
	root := rootCommand()
	root.SetOut(&out)
	root.SetErr(io.Discard)
	root.SetArgs(line)
	err := root.ExecuteContext(t.Context())
	return out.String(), err
}
