package main

import (
	"errors"
	"fmt"
	"net"

	"github.com/spf13/cobra"

	"mcp/control/sip/backlog"
	"mcp/control/sip/bare"
)

func bareCommand() *cobra.Command {
	var listen string
	var deep bool
	cmd := &cobra.Command{
		Use:   "bare",
		Short: "Answer calls with nothing but the SIP library, for comparison",
		Example: `  mcplab bare --listen 127.0.0.1:5080
  mcplab bare --deep`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			addr, err := net.ResolveUDPAddr("udp", listen)
			if err != nil {
				return fmt.Errorf("listen: %w", err)
			}
			conn, err := net.ListenUDP("udp", addr)
			if err != nil {
				return fmt.Errorf("listen: %w", err)
			}
			if deep {
				if err := backlog.Deepen(conn); err != nil {
					return errors.Join(err, conn.Close())
				}
			}
			return bare.Serve(cmd.Context(), conn)
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:5080", "UDP address")
	cmd.Flags().BoolVar(&deep, "deep", false, "give the socket the receive buffer that the platform's sockets have, not the kernel's default")
	return cmd
}
