package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

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
		Long: `Examine the kernel, privileges, limits, ports and folders, and connect to every
far end that the configuration names. Nothing is changed. The exit status is 1 when
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
	cmd.Flags().StringVarP(&file, "config", "c", "", "configuration file (default "+defaultConfigFile+", if it exists)")
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
		if _, err := fmt.Fprintf(w, "%-7s  %-*s  %s\n", f.State, widest, f.Check, f.Detail); err != nil {
			return err
		}
		if f.Advice != "" {
			if _, err := fmt.Fprintf(w, "%-7s  %-*s  -> %s\n", "", widest, "", f.Advice); err != nil {
				return err
			}
		}
	}
	return nil
}
