package main

import (
	"time"

	"github.com/spf13/cobra"

	"mcp/cmd/mcplab/recordbench"
)

func benchReportingCommand() *cobra.Command {
	o := recordbench.Options{Commit: version}
	cmd := &cobra.Command{
		Use:   "reporting",
		Short: "Measure what keeping and delivering records costs",
		Long: `Measure how many call records become durable in a second, how long a call waits
for its record at its end beside the disk's own sync, and how fast a backlog goes to
an ActiveMQ broker that is started for it. The results are printed and written as JSON.`,
		Example: `  mcplab bench reporting --out build/bench
  mcplab bench reporting --dir /var/lib/mcp`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Progress = cmd.ErrOrStderr()
			return recordbench.Run(cmd.Context(), cmd.OutOrStdout(), o)
		},
	}
	resultsFlag(cmd, &o.Out)
	cmd.Flags().StringVar(&o.Dir, "dir", "", "folder on the disk to be measured; default: a temporary one")
	cmd.Flags().IntVar(&o.Backlog, "backlog", 360_000, "records that wait for the broker")
	cmd.Flags().DurationVar(&o.Duration, "duration", 5*time.Second, "of each measurement of the journal")
	return cmd
}
