// Command mcplab is every far end of the platform, for demonstrations and tests:
// a speech server, a web server with a voice application, a caller, and a
// laboratory of network namespaces that has them all talk to each other.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// version is set by the linker.
var version = "unknown"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := rootCommand().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "mcplab:", err)
		os.Exit(1)
	}
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "mcplab",
		Short:         "Far ends of the media control platform, for demonstrations and tests",
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(speechCommand(), webCommand(), callCommand(), demoCommand(), benchCommand(), bareCommand())
	root.AddCommand(googleCommand(), botCommand(), connectionsCommand(), tourCommand())
	return root
}
