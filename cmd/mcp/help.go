package main

import (
	"strings"

	"github.com/spf13/cobra"

	"mcp/cmd/mcp/columns"
)

// helpWidth is that of a terminal that nobody has made wider.
const helpWidth = 80

// fitHelp lays a command's help out, and that of those below it, so that it fits a
// terminal.
func fitHelp(cmd *cobra.Command) {
	cmd.SetUsageTemplate(strings.ReplaceAll(cmd.UsageTemplate(), ".FlagUsages", ".FlagUsagesWrapped 80"))
	fitText(cmd)
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
