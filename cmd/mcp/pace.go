package main

import (
	"os"

	"github.com/spf13/cobra"

	"mcp/bpf/player"
)

const paceVerb = "pace"

// pacer is the command line of the process that paces prompts for "mcp serve"; nil:
// where this program lies cannot be found out, and a thread has to do.
func pacer() []string {
	program, err := os.Executable()
	if err != nil {
		return nil
	}
	return []string{program, paceVerb}
}

func paceCommand() *cobra.Command {
	return &cobra.Command{
		Use: paceVerb, Hidden: true, Args: cobra.NoArgs,
		Short: "Have prompts leave on time, for mcp serve",
		Long: `Have the prompts of "mcp serve" leave on time. It is started by that process, whose
kernel program and maps it is handed, and ends with it.`,
		Example: `  mcp serve   # starts it`,
		RunE:    func(*cobra.Command, []string) error { return player.Pace() },
	}
}
