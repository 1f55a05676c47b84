package main

import (
	"time"

	"github.com/spf13/cobra"

	"mcp/cmd/mcplab/sipbench"
	"mcp/control/sip/bare"
)

func benchSIPCommand() *cobra.Command {
	var options sipbench.Options
	var load sipbench.Load
	var refusals, held bool
	cmd := &cobra.Command{
		Use:   "bench-sip",
		Short: "Measure how many calls a second are answered, and what one costs",
		Long: `Measure the highest rate of calls that is answered without one that fails or is
sent again, how long setting one up takes, and what a call costs in CPU time and
memory: for the platform with a VoiceXML application, and for the plainest callee
that the SIP library makes, on the same core. SIPp calls from another core. Last, how
long callers wait for a refusal who come to a full platform, a thousand a second.`,
		Example: `  mcplab bench-sip --out build/bench
  mcplab bench-sip --rate 400 --profiles /tmp/profiles
  mcplab bench-sip --rate 1000 --hold 10s --all-cores
  mcplab bench-sip --held
  mcplab bench-sip --refusals`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			options.Commit, options.Progress = version, cmd.ErrOrStderr()
			if refusals {
				return sipbench.RunRefusals(cmd.Context(), cmd.OutOrStdout(), options)
			}
			if held {
				return sipbench.RunHeld(cmd.Context(), cmd.OutOrStdout(), options)
			}
			if load.Rate > 0 {
				return sipbench.RunRate(cmd.Context(), cmd.OutOrStdout(), options, load)
			}
			return sipbench.Run(cmd.Context(), cmd.OutOrStdout(), options)
		},
	}
	f := cmd.Flags()
	f.StringVar(&options.Out, "out", "build/bench", "folder of the results")
	f.StringVar(&options.Platform, "platform", "build/mcp", "the platform's binary")
	f.IntVar(&load.Rate, "rate", 0, "place calls at this rate only, and write no results")
	f.DurationVar(&load.Hold, "hold", time.Second, "with --rate, how long each call is")
	f.BoolVar(&load.AllCores, "all-cores", false, "with --rate, let callee and callers run on any core")
	f.BoolVar(&held, "held", false, "measure the memory of calls that are held only, and write no results")
	f.BoolVar(&refusals, "refusals", false, "measure refusals only, and write no results")
	f.StringVar(&options.Profiles, "profiles", "", "with --rate, the folder that profiles of the platform go to")
	return cmd
}

func bareCommand() *cobra.Command {
	var listen string
	cmd := &cobra.Command{
		Use:     "bare",
		Short:   "Answer calls with nothing but the SIP library, for comparison",
		Example: `  mcplab bare --listen 127.0.0.1:5080`,
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return bare.Serve(cmd.Context(), listen) },
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:5080", "UDP address")
	return cmd
}
