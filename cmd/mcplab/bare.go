package main

import (
	"github.com/spf13/cobra"

	"mcp/control/sip/bare"
)

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
