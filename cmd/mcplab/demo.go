package main

import (
	"os"

	"github.com/spf13/cobra"

	"mcp/cmd/mcplab/demo"
)

func demoCommand() *cobra.Command {
	var options demo.Options
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Have one whole call happen in network namespaces, and check it",
		Long: `Build three network namespaces (sbc, mcp, nuance), start the platform, a speech
server, a web server and a caller in them, and place a call: the application
speaks, the caller answers and presses keys, the application reads back both.
A timeline shows it as it happens; then what was said is compared with what was
heard, on both sides, and the kernel's counters with what was sent. The exit
status is not zero when anything is wrong. Needs root. Everything is taken down
at the end, however it ends.`,
		Example: `  mcplab demo --platform build/mcp --out build/demo
  mcplab demo --media-plane socket
  mcplab demo --prefix lab2-`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if options.Lab, err = os.Executable(); err != nil {
				return err
			}
			return demo.Run(cmd.Context(), options, cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.StringVar(&options.Platform, "platform", "build/mcp", "the platform's binary")
	f.StringVar(&options.Out, "out", "build/demo", "folder for logs, the recording and the record")
	f.StringVar(&options.Prefix, "prefix", "", "put before the namespaces' names")
	f.StringVar(&options.Plane, "media-plane", "auto", "auto, xdp, xdp-generic or socket")
	f.StringVar(&options.Voice, "voice", "slt", "the caller's voice: slt, rms, awb, kal or kal16")
	f.StringVar(&options.Answer, "answer", "support please", "what the caller answers")
	f.StringVar(&options.Digits, "digits", "2749", "what the caller presses")
	return cmd
}
