package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"mcp/cmd/mcplab/connections"
)

func connectionsCommand() *cobra.Command {
	var markdown bool
	cmd := &cobra.Command{
		Use:   "connections",
		Short: "Judge the seventeen connections by a run of the tests",
		Long: `Read from standard input what "go test -json" reports, show it as "go test" does,
and end with a table: each connection to another system, and whether the tests
that prove it passed. The exit status is 1 if any test failed.`,
		Example: `  go test -json ./... | mcplab connections
  mcplab connections --markdown   # the table of deploy/README.md`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			out := cmd.OutOrStdout()
			if markdown {
				_, err := fmt.Fprint(out, connections.Markdown())
				return err
			}
			run, err := connections.Read(os.Stdin, "mcp", out)
			if err != nil {
				return err
			}
			fmt.Fprintln(out)
			if err := connections.Write(out, connections.Judge(run)); err != nil {
				return err
			}
			if run.Failed() {
				return errors.New("tests failed")
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&markdown, "markdown", false, "print the table of the documentation, judge nothing")
	return cmd
}
