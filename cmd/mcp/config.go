package main

import (
	"fmt"
	"io"
	"reflect"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"mcp/control/config"
	"mcp/control/node"
	"mcp/vxml/script"
)

func configCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Show, check and explain the configuration",
		Example: "  mcp config defaults > mcp.yaml\n  mcp config check --config mcp.yaml\n  mcp config explain media"}
	var file string
	cmd.PersistentFlags().StringVarP(&file, "config", "c", "", "configuration `file`; "+defaultConfigFile+" where it exists")
	cmd.AddCommand(
		&cobra.Command{
			Use: "defaults", Short: "Print every key with its default and its meaning", Args: cobra.NoArgs,
			Example: "  mcp config defaults > mcp.yaml",
			RunE: func(cmd *cobra.Command, _ []string) error {
				cfg := node.Defaults()
				return config.Print(cmd.OutOrStdout(), &cfg)
			},
		},
		checkCommand(&file),
		&cobra.Command{
			Use: "explain [KEY]", Short: "Tell what a key means, holds and how it is set", Args: cobra.MaximumNArgs(1),
			Long: `Tell what a key means, what it holds and how it is set, in the file and in the
environment. For a section its keys are told, and without a key the sections.`,
			Example: "  mcp config explain\n  mcp config explain media.port-min\n  mcp config explain speech\n  mcp config explain sip.call_rate",
			RunE: func(cmd *cobra.Command, args []string) error {
				cfg, err := loadConfig(file)
				if err != nil {
					return fmt.Errorf("the configuration in force: %w", err)
				}
				if len(args) == 0 {
					return printSections(cmd.OutOrStdout(), &cfg)
				}
				return config.Explain(cmd.OutOrStdout(), &cfg, args[0])
			},
		},
		&cobra.Command{
			Use: "options", Short: "List the Genesys options that are known, and their keys", Args: cobra.NoArgs,
			Long: `List the options of the Genesys Voice Platform that have a key here. They can be set in
the section gvp of the configuration file, by the names and in the units they have there:

  gvp:
    sip.call_rate: 100
    mpc.rtp.portrange: 20000-45000`,
			Example: "  mcp config options",
			RunE:    func(cmd *cobra.Command, _ []string) error { return printOptions(cmd.OutOrStdout()) },
		},
	)
	return cmd
}

func checkCommand(file *string) *cobra.Command {
	var files bool
	cmd := &cobra.Command{
		Use: "check", Short: "Print the configuration in force, or what is wrong with it", Args: cobra.NoArgs,
		Long: `Print the configuration in force, or all that is wrong with it: where it stands, the
key, the value and what is expected. Files that keys name must be there, unless the
configuration is another machine's (--files=false). What the machine and the far ends
say to it, "mcp doctor" tells.`,
		Example: "  mcp config check\n  mcp config check --config node-7.yaml --files=false",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadFrom(config.Source{File: *file, Files: files})
			if err != nil {
				return err
			}
			return config.Print(cmd.OutOrStdout(), &cfg)
		},
	}
	cmd.Flags().BoolVar(&files, "files", true, "want the files that keys name to be there")
	return cmd
}

// scriptLimits is what a configuration lets scripts of pages have.
func scriptLimits(file string) (script.Limits, error) {
	cfg, err := loadFrom(config.Source{File: file})
	return cfg.Application.Scripts.Limits(), err
}

// printSections lists the sections of the configuration.
func printSections(out io.Writer, cfg *node.Config) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for field := range reflect.TypeOf(cfg).Elem().Fields() {
		key, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		fmt.Fprintf(t, "%s\t%s\n", key, field.Tag.Get("doc"))
	}
	return t.Flush()
}

func printOptions(out io.Writer) error {
	cfg := node.Defaults()
	options, err := config.Options(&cfg)
	if err != nil {
		return err
	}
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "OPTION\tKEY\tVALUES")
	for _, o := range options {
		fmt.Fprintf(t, "%s\t%s\t%s\n", o.Name, o.Key, o.Values())
	}
	return t.Flush()
}
