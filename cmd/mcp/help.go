package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"mcp/cmd/mcp/columns"
)

// helpWidth is that of a terminal that nobody has made wider.
const helpWidth = 80

// fitHelp lays a command's help out, and that of those below it, so that it fits a
// terminal.
func fitHelp(cmd *cobra.Command) {
	cmd.SetUsageTemplate(strings.NewReplacer(".FlagUsages", ".FlagUsagesWrapped 80",
		"{{if .Runnable}}", "{{if and .Runnable (not .HasAvailableSubCommands)}}").Replace(cmd.UsageTemplate()))
	fitText(cmd)
}

// guide has wrong command lines refused, with what to do next: those of a command and
// of all below it.
func guide(cmd *cobra.Command) {
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w; %s --help lists the flags", err, cmd.CommandPath())
	})
	guideArguments(cmd)
}

func guideArguments(cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		guideArguments(sub)
	}
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return fmt.Errorf("%w; usage: %s", err, cmd.UseLine())
			}
			return nil
		}
	}
	if cmd.HasSubCommands() && !cmd.Runnable() {
		// Cobra itself would take a misspelt command for a wish for help, and succeed.
		cmd.Args, cmd.RunE = cobra.ArbitraryArgs, helpOrRefuse
	}
}

// helpOrRefuse is what a command does that only holds others.
func helpOrRefuse(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	cmd.SuggestionsMinimumDistance = 2 // letters
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return fmt.Errorf("unknown command %q for %q; did you mean %s?", args[0], cmd.CommandPath(), strings.Join(near, " or "))
	}
	return fmt.Errorf("unknown command %q for %q; %s --help lists them", args[0], cmd.CommandPath(), cmd.CommandPath())
}

func fitText(cmd *cobra.Command) {
	cmd.Long = reflow(cmd.Long, helpWidth)
	for _, sub := range cmd.Commands() {
		fitText(sub)
	}
}

// reflow breaks a text's paragraphs anew; what is indented stays as it is.
func reflow(text string, width int) string {
	var out, paragraph []string
	flush := func() {
		if len(paragraph) > 0 {
			out = append(out, columns.Wrap(strings.Join(paragraph, " "), width)...)
			paragraph = nil
		}
	}
	for line := range strings.SplitSeq(text, "\n") {
		if line == "" || strings.HasPrefix(line, " ") {
			flush()
			out = append(out, line)
			continue
		}
		paragraph = append(paragraph, line)
	}
	flush()
	return strings.Join(out, "\n")
}
