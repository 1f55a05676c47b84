package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"mcp/cmd/mcp/columns"
	"mcp/control/doctor"
	"mcp/control/node"
)

var errUnhealthy = errors.New("something that is configured cannot work on this machine")

func doctorCommand() *cobra.Command {
	var file string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Examine whether this machine can run what is configured",
		Long: `Examine the kernel, privileges, limits, ports and folders, and connect to every far
end that the configuration names. Nothing is changed. The exit status is 1 when
something cannot work; warnings do not count.`,
		Example: `  mcp doctor
  mcp doctor --config mcp.yaml
  mcp doctor --json | jq -r '.[] | select(.state != "ok") | .advice'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig(file)
			if err != nil {
				return err
			}
			findings := node.Doctor(cmd.Context(), cfg)
			if err := printFindings(cmd.OutOrStdout(), findings, asJSON); err != nil {
				return err
			}
			if !doctor.Healthy(findings) {
				return errUnhealthy
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&file, "config", "c", "", "configuration `file`; "+defaultConfigFile+" where it exists")
	cmd.Flags().BoolVar(&asJSON, "json", false, "for machines")
	return cmd
}

// printFindings writes a finding a line, and what to do below it.
func printFindings(w io.Writer, findings []doctor.Finding, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(findings)
	}
	widest := 0
	for _, f := range findings {
		widest = max(widest, len(f.Check))
	}
	for _, f := range findings {
		if _, err := io.WriteString(w, findingText(f, widest, columns.Width(w))); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(w, "\n"+verdict(findings))
	return err
}

// findingText is a finding on lines that fit, with what to do below it.
func findingText(f doctor.Finding, widest, width int) string {
	var b strings.Builder
	room := max(20, width-len("warning  ")-widest-len("  "))
	head := fmt.Sprintf("%-7s  %-*s  ", f.State, widest, f.Check)
	blank := strings.Repeat(" ", len(head))
	for _, line := range columns.Wrap(f.Detail, room) {
		b.WriteString(strings.TrimRight(head+line, " ") + "\n")
		head = blank
	}
	if f.Advice != "" {
		for i, line := range columns.Wrap(f.Advice, room-len("-> ")) {
			b.WriteString(blank + []string{"-> ", "   "}[min(i, 1)] + line + "\n")
		}
	}
	return b.String()
}

// verdict sums the findings up.
func verdict(findings []doctor.Finding) string {
	var warnings, failures int
	for _, f := range findings {
		switch f.State {
		case doctor.Warning:
			warnings++
		case doctor.Failure:
			failures++
		}
	}
	switch {
	case failures > 0:
		return fmt.Sprintf("%d of %d checks fail: what is configured cannot work here.", failures, len(findings))
	case warnings > 0:
		return fmt.Sprintf("It will work; %d of %d checks say that it could work better.", warnings, len(findings))
	}
	return "All is well."
}
