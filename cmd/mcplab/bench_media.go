package main

import (
	"encoding/json"
	"os"
	"time"

	"github.com/spf13/cobra"

	"mcp/cmd/mcplab/bench"
	"mcp/cmd/mcplab/mixbench"
)

func benchMediaCommand() *cobra.Command {
	var options bench.Options
	cmd := &cobra.Command{
		Use:   "media",
		Short: "Measure what relaying a packet and playing a prompt cost",
		Long: `Measure the CPU time of relaying one packet: in the program itself, through veth
pairs natively and generically, with a copy to userspace, through sockets, through
a program that does nothing, and through rtpengine where it is installed. And how
many prompts play at once, and how evenly, from the kernel and otherwise. Needs
root. The results are printed and written as JSON.`,
		Example: `  mcplab bench media --out build/bench
  mcplab bench media --only relay,rtpengine
  mcplab bench media --only prompt.kernel --streams 20000   # to be looked at with perf`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if options.Lab, err = os.Executable(); err != nil {
				return err
			}
			options.Commit, options.Progress = version, cmd.ErrOrStderr()
			return bench.Run(cmd.Context(), cmd.OutOrStdout(), options)
		},
	}
	resultsFlag(cmd, &options.Out)
	f := cmd.Flags()
	f.StringSliceVar(&options.Only, "only", nil, "measure only what has a name that begins so")
	f.IntVar(&options.Streams, "streams", 0, "play so many prompts, instead of as many as there can be")
	f.StringVar(&options.Platform, "platform", "build/mcp", "the platform's binary, for prompts while calls arrive")
	return cmd
}

func benchMixCommand() *cobra.Command {
	var options bench.Options
	cmd := &cobra.Command{
		Use:   "mix",
		Short: "Measure what mixing, transcoding and recording cost",
		Long: `Measure the audio that userspace must touch: participants a core in one conference,
beside a plain sum over all inputs, and in conferences of three; bridges a core
between each pair of codecs; recorded calls a core in each format, encrypted; legs a core
with SRTP; and conferences of 500 and of 300 times three on sockets in real time, beside
Janus if it is installed. The results are printed and written as JSON.`,
		Example: `  mcplab bench mix --out build/bench
  mcplab bench mix --only ports,live`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			options.Commit, options.Progress = version, cmd.ErrOrStderr()
			return mixbench.Run(cmd.Context(), cmd.OutOrStdout(), options)
		},
	}
	resultsFlag(cmd, &options.Out)
	cmd.Flags().StringSliceVar(&options.Only, "only", nil, "measure only mix, transcode, ports, srtp or live")
	return cmd
}

func wakesCommand() *cobra.Command {
	var length time.Duration
	cmd := &cobra.Command{
		Use: bench.WakesCommand, Hidden: true, Args: cobra.NoArgs,
		Short: "Measure how evenly this machine wakes what goes before all else",
		Long: `Wake once a millisecond on each of two CPUs, before all else, and print in JSON how far
from even 99 in 100 of the wake-ups came, in nanoseconds. "mcplab bench media" runs it beside prompts
while calls arrive. Needs root.`,
		Example: `  mcplab bench wakes --for 10s`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			found, err := bench.MeasureWakes(length)
			if err != nil {
				return err
			}
			return json.NewEncoder(cmd.OutOrStdout()).Encode(found)
		},
	}
	cmd.Flags().DurationVar(&length, "for", 10*time.Second, "how long to measure")
	return cmd
}
