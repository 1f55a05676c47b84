package main

import (
	"fmt"
	"net"

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
		RunE: func(cmd *cobra.Command, _ []string) error {
			addr, err := net.ResolveUDPAddr("udp", listen)
			if err != nil {
				return fmt.Errorf("listen: %w", err)
			}
			conn, err := net.ListenUDP("udp", addr)
			if err != nil {
				return fmt.Errorf("listen: %w", err)
			}
			return bare.Serve(cmd.Context(), conn)
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:5080", "UDP address")
	return cmd
}
