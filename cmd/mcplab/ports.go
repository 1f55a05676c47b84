package main

import (
	"github.com/spf13/cobra"

	"mcp/cmd/mcplab/sipbench"
)

func benchPortsCommand() *cobra.Command {
	var options sipbench.PortsOptions
	cmd := &cobra.Command{
		Use:   "bench-ports",
		Short: "Measure how many callers a core serves who press keys",
		Long: `Measure how many calls at once one core serves with the application by which the
product's sizing guide counts ports: 52 keys over 18 VoiceXML pages. All calls must
go as they should, to 99.99 %. Callers are in other network namespaces and on
another core; what they hear is played by the kernel and counted.`,
		Example: `  mcplab bench-ports --ports 1000,2000 --out build/bench`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			options.Commit, options.Progress = version, cmd.ErrOrStderr()
			return sipbench.RunPorts(cmd.Context(), cmd.OutOrStdout(), options)
		},
	}
	f := cmd.Flags()
	f.StringVar(&options.Out, "out", "build/bench", "folder of the results")
	f.StringVar(&options.Platform, "platform", "build/mcp", "the platform's binary")
	f.StringVar(&options.Profiles, "profiles", "", "folder that profiles of the platform go to")
	f.IntSliceVar(&options.Ports, "ports", []int{500, 1000, 1500, 2000, 2500, 3000, 4000}, "calls at once to try, in rising order")
	return cmd
}
