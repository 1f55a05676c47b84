package main

import (
	"time"

	"github.com/spf13/cobra"

	"mcp/cmd/mcplab/sipbench"
)

func benchSIPCommand() *cobra.Command {
	var options sipbench.Options
	var load sipbench.Load
	var refusals, held bool
	cmd := &cobra.Command{
		Use:   "sip",
		Short: "Measure how many calls a second are answered, and what one costs",
		Long: `Measure the highest rate of calls that is answered without one that fails or is
sent again, how long setting one up takes, and what a call costs in CPU time and
memory: for the platform with a VoiceXML application, and for the plainest callee
that the SIP library makes, on the same core, once with the socket that the library
opens and once with a receive buffer as large as the platform's. SIPp calls from
another core. Last, how long callers wait for a refusal who come to a full platform,
a thousand a second.`,
		Example: `  mcplab bench sip --out build/bench
  mcplab bench sip --rate 400 --profiles /tmp/profiles
  mcplab bench sip --rate 1000 --hold 10s --all-cores
  mcplab bench sip --held
  mcplab bench sip --refusals`,
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
	resultsFlag(cmd, &options.Out)
	platformFlag(cmd, &options.Platform)
	f := cmd.Flags()
	f.IntVar(&load.Rate, "rate", 0, "place calls at this rate only, and write no results")
	f.DurationVar(&load.Hold, "hold", time.Second, "with --rate, how long each call is")
	f.BoolVar(&load.AllCores, "all-cores", false, "with --rate, let callee and callers run on any core")
	f.BoolVar(&held, "held", false, "measure the memory of calls that are held only, and write no results")
	f.BoolVar(&refusals, "refusals", false, "measure refusals only, and write no results")
	f.StringVar(&options.Profiles, "profiles", "", "with --rate, the folder that profiles of the platform go to")
	cmd.MarkFlagsMutuallyExclusive("rate", "held", "refusals")
	return cmd
}

func benchPortsCommand() *cobra.Command {
	var options sipbench.PortsOptions
	cmd := &cobra.Command{
		Use:   "ports",
		Short: "Measure how many callers a core serves who press keys",
		Long: `Measure how many calls at once one core serves with the application by which the
product's sizing guide counts ports: 52 keys over 18 VoiceXML pages. All calls must
go as they should, to 99.99 %. Callers are in other network namespaces and on
another core; what they hear is played by the kernel and counted.`,
		Example: `  mcplab bench ports --out build/bench
  mcplab bench ports --ports 1000,2000`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			options.Commit, options.Progress = version, cmd.ErrOrStderr()
			return sipbench.RunPorts(cmd.Context(), cmd.OutOrStdout(), options)
		},
	}
	resultsFlag(cmd, &options.Out)
	platformFlag(cmd, &options.Platform)
	f := cmd.Flags()
	f.StringVar(&options.Profiles, "profiles", "", "folder that profiles of the platform go to")
	f.IntSliceVar(&options.Ports, "ports", []int{500, 1000, 1500, 2000, 2500, 3000, 4000}, "calls at once to try, in rising order")
	return cmd
}
