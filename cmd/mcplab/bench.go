package main

import (
	"github.com/spf13/cobra"

	"mcp/cmd/mcplab/bench"
	"mcp/cmd/mcplab/mixbench"
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
	cmd.AddCommand(mixCommand())
	return cmd
}

func mixCommand() *cobra.Command {
	var options bench.Options
	cmd := &cobra.Command{
		Use:   "mix",
		Short: "Measure what mixing, transcoding and recording cost",
		Long: `Measure the audio that userspace must touch: participants a core in one conference,
beside a plain sum over all inputs, and in conferences of three; bridges a core
between each pair of codecs; recorded calls a core in each format, encrypted; and
conferences of 500 and of 300 times three on sockets in real time. The results are
printed and written as JSON.`,
		Example: `  mcplab bench mix --out build/bench`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			options.Commit, options.Progress = version, cmd.ErrOrStderr()
			return mixbench.Run(cmd.Context(), cmd.OutOrStdout(), options)
		},
	}
	cmd.Flags().StringVar(&options.Out, "out", "build/bench", "folder of the results")
	return cmd
}
