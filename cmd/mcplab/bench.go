package main

import (
	"github.com/spf13/cobra"
)

func benchCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure the platform, beside what else does the same",
		Long: `Measure what the platform costs, side by side with what else does the same in one
run. Each measurement prints its results and writes them as JSON, to a file of its
own name.`,
		Example: `  mcplab bench media --out build/bench   # build/bench/media.json
  mcplab bench sip --rate 400`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(benchMediaCommand(), benchMixCommand(), benchSIPCommand(), benchPortsCommand())
	cmd.AddCommand(benchSpeechCommand(), benchReportingCommand(), wakesCommand())
	return cmd
}

// resultsFlag says where a measurement's results go.
func resultsFlag(cmd *cobra.Command, out *string) {
	cmd.Flags().StringVar(out, "out", "build/bench", "folder of the results")
}

// platformFlag says which platform is measured.
func platformFlag(cmd *cobra.Command, platform *string) {
	cmd.Flags().StringVar(platform, "platform", "build/mcp", "the platform's binary")
}
