package main

import (
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"mcp/cmd/mcp/cdr"
)

func cdrCommand() *cobra.Command {
	return cdr.Command(func(file string) (string, error) {
		cfg, err := loadConfig(file)
		return cfg.Reporting.Journal, err
	})
}

// printable keeps what a caller put into a URI from steering the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
}
