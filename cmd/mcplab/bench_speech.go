package main

import (
	"github.com/spf13/cobra"

	"mcp/cmd/mcplab/speechbench"
)

func benchSpeechCommand() *cobra.Command {
	var options speechbench.Options
	cmd := &cobra.Command{
		Use:   "speech",
		Short: "Measure what sessions with speech servers cost",
		Long: `Measure the clients of MRCPv2, MRCPv1, Google and bots against servers on the loopback
whose engines do nothing: sessions set up and ended a second, what all of them leave
behind, recognitions at a time, and, over MRCP, the time from a recognizer's event to
the request of the VoiceXML page that it leads to. The results are printed and written
as JSON.`,
		Example: `  mcplab bench speech --out build/bench
  mcplab bench speech --sessions 1000 --recognitions 100 --turns 50`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			options.Commit, options.Progress = version, cmd.ErrOrStderr()
			return speechbench.Run(cmd.Context(), cmd.OutOrStdout(), options)
		},
	}
	resultsFlag(cmd, &options.Out)
	f := cmd.Flags()
	f.IntVar(&options.Sessions, "sessions", 10000, "sessions to set up and end with each version of MRCP")
	f.IntVar(&options.Attached, "attached", 10000, "sessions with Google's stand-in and with the bot's")
	f.IntVar(&options.Recognitions, "recognitions", 500, "recognitions at a time")
	f.IntVar(&options.Turns, "turns", 200, "turns of the call over each version of MRCP")
	return cmd
}
