package main

import (
	"github.com/spf13/cobra"

	"mcp/cmd/mcplab/bench"
)

func benchCommand() *cobra.Command {
	var options bench.Options
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure what relaying a packet costs",
		Long: `Measure the CPU time of relaying one packet: in the program itself, through veth
pairs natively and generically, with a copy to userspace, through sockets, through
a program that does nothing, and through rtpengine where it is installed. Needs root. The results are printed and written as JSON.`,
		Example: `  mcplab bench --out build/bench`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			options.Commit, options.Progress = version, cmd.ErrOrStderr()
			return bench.Run(cmd.Context(), cmd.OutOrStdout(), options)
		},
	}
	f := cmd.Flags()
	f.StringVar(&options.Out, "out", "build/bench", "folder of the results")
	f.StringVar(&options.Platform, "platform", "build/mcp", "the platform's binary, for prompts while calls arrive")
	return cmd
}
