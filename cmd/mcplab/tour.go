package main

import (
	"os"

	"github.com/spf13/cobra"

	"mcp/cmd/mcplab/tour"
)

func tourCommand() *cobra.Command {
	var options tour.Options
	cmd := &cobra.Command{
		Use:   "tour",
		Short: "Bring every far end up, place calls, and show what each connection carries",
		Long: `Build network namespaces and start in them the platform and all that it talks to:
Kamailio as Resource Manager, a speech server (MRCPv2 and MRCPv1), stand-ins for
Google and for a bot, ActiveMQ, snmpd, Prometheus, a Consul agent or its stand-in,
web servers, a gateway for certificates and a WebDAV server. Calls through all of
them follow, and then a table: each connection, and what its far end saw. The exit
status is not zero when one saw nothing. Needs root. Everything is taken down at
the end, however it ends.`,
		Example: `  mcplab tour --platform build/mcp --out build/tour
  mcplab tour --media-plane socket`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if options.Lab, err = os.Executable(); err != nil {
				return err
			}
			return tour.Run(cmd.Context(), options, cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.StringVar(&options.Platform, "platform", "build/mcp", "the platform's binary")
	f.StringVar(&options.Out, "out", "build/tour", "folder for logs, records and recordings")
	f.StringVar(&options.Prefix, "prefix", "tour-", "put before the namespaces' names")
	f.StringVar(&options.Plane, "media-plane", "auto", "auto, xdp, xdp-generic or socket")
	return cmd
}
