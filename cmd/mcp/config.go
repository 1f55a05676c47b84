package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"mcp/control/config"
	"mcp/control/node"
)

func configCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Show, check and explain the configuration"}
	var file string
	cmd.PersistentFlags().StringVarP(&file, "config", "c", "", "configuration file (default "+defaultConfigFile+", if it exists)")
	cmd.AddCommand(
		&cobra.Command{
			Use: "defaults", Short: "Print every key with its default and its meaning", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				cfg := node.Defaults()
				return config.Print(cmd.OutOrStdout(), &cfg)
			},
		},
		&cobra.Command{
			Use: "check", Short: "Print the configuration in force, or everything that is wrong with it", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				cfg, err := loadConfig(file)
				if err != nil {
					return err
				}
				return config.Print(cmd.OutOrStdout(), &cfg)
			},
		},
		&cobra.Command{
			Use: "explain KEY", Short: "Tell what a key means, holds and how it is set", Args: cobra.ExactArgs(1),
			Example: "  mcp config explain media.port-min\n  mcp config explain speech",
			RunE: func(cmd *cobra.Command, args []string) error {
				cfg, err := loadConfig(file)
				if err != nil {
					return fmt.Errorf("the configuration in force: %w", err)
				}
				return config.Explain(cmd.OutOrStdout(), &cfg, args[0])
			},
		},
	)
	return cmd
}
