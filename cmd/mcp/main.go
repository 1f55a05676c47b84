// Command mcp is the media control platform and its tools in one binary.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"mcp/cmd/mcp/author"
	"mcp/cmd/mcp/privilege"
	"mcp/cmd/mcp/top"
)

// version is set by the linker.
var version = "unknown"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // the first signal asks to drain, a second ends the process at once
	err := privilege.Raise()
	if err == nil {
		err = rootCommand().ExecuteContext(ctx)
	}
	if err != nil && !errors.Is(err, errLogged) {
		fmt.Fprintln(os.Stderr, "mcp:", err)
	}
	if err != nil {
		os.Exit(1)
	}
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "mcp",
		Short: "Media control platform: answers SIP calls and runs voice applications on them",
		Long: `The media control platform answers SIP calls and runs voice applications on them:
VoiceXML, MSML and NETANN. This is the platform and its tools.`,
		Example: `  mcp doctor                   # can this machine run it?
  mcp serve                    # answer calls on port 5070
  mcp top                      # the calls that are up
  mcp config defaults > mcp.yaml && mcp serve --config mcp.yaml
  mcp vxml run main.vxml       # try a VoiceXML application on the terminal`,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
		Version:           version,
		SilenceUsage:      true,
		SilenceErrors:     true,
	}
	root.AddCommand(serveCommand(), doctorCommand(), top.Command(), planeCommand(), legsCommand(), streamsCommand(), captureCommand(),
		author.Command(version, scriptLimits), cdrCommand(), configCommand(), paceCommand())
	fitHelp(root)
	guide(root)
	return root
}
