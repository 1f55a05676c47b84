// Package cdr shows the platform's records: calls, what applications logged, the
// steps of calls and operational reports, from the journals on disk.
package cdr

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"mcp/control/reporting"
)

// Command is mcp cdr. configured finds the journals' directory by a
// configuration file, or the default one when its name is empty.
func Command(configured func(file string) (string, error)) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cdr",
		Short: "Show and export records of calls",
		Long: `Show records from the journals on disk: calls, and with --kind also what
applications logged under labels (custom), the steps of calls (trace) and
operational reports (operations). The platform may be running or not.
With --format json every record is one line of JSON as it was stored.`,
		Example: "  mcp cdr list --last 20\n  mcp cdr follow\n  mcp cdr export --since 24h calls.json",
	}
	c := &cli{}
	cmd.PersistentFlags().StringVarP(&c.file, "config", "c", "", "configuration file that names the journals")
	cmd.PersistentFlags().StringVar(&c.viewer.dir, "dir", "", "the journals' directory; default: the configured one")
	c.filter.flags(cmd.PersistentFlags())
	prepare := func(cmd *cobra.Command) (*viewer, error) {
		v := &c.viewer
		v.out, v.warnings = cmd.OutOrStdout(), cmd.ErrOrStderr()
		v.format, _ = cmd.Flags().GetString("format") // each command has one
		if c.json {
			v.format = "json"
		}
		if v.dir == "" {
			dir, err := configured(c.file)
			if err != nil {
				return nil, err
			}
			v.dir = dir
		}
		if v.last < 0 {
			return nil, fmt.Errorf("--last: %d is below zero", v.last)
		}
		if err := c.filter.prepare(&v.filter); err != nil {
			return nil, err
		}
		if err := v.checkFormat(); err != nil {
			return nil, err
		}
		return v, readable(v.dir)
	}
	cmd.AddCommand(c.list(prepare), c.follow(prepare), c.export(prepare), schemaCommand())
	return cmd
}

// readable tells what keeps a directory of journals from being read, before anything is
// printed.
func readable(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("journals of records: %w; --dir names others", err)
	}
	return d.Close()
}

// cli is what the flags of one run of the command set.
type cli struct {
	file   string
	json   bool
	viewer viewer
	filter filterFlags
}

func (c *cli) formats(cmd *cobra.Command, standard string) {
	cmd.Flags().String("format", standard, "table, json or csv")
	cmd.Flags().BoolVar(&c.json, "json", false, "the same as --format json")
}

type prepareFunc func(*cobra.Command) (*viewer, error)

func (c *cli) list(prepare prepareFunc) *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Short: "Show the records there are", Args: cobra.NoArgs,
		Example: `  mcp cdr list --last 20
  mcp cdr list --since 24h --cause application-error
  mcp cdr list --kind custom --label com.genesyslab.var.CallResult
  mcp cdr list --from 'sip:+4930*' --json | jq .end`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v, err := prepare(cmd)
			if err != nil {
				return err
			}
			return v.list()
		},
	}
	c.formats(cmd, "table")
	cmd.Flags().IntVar(&c.viewer.last, "last", 0, "only so many of the newest; 0: all")
	return cmd
}

func (c *cli) follow(prepare prepareFunc) *cobra.Command {
	cmd := &cobra.Command{
		Use: "follow", Short: "Show records as they are made", Args: cobra.NoArgs,
		Example: "  mcp cdr follow --tenant 1.101\n  mcp cdr follow --kind all --format json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			v, err := prepare(cmd)
			if err != nil {
				return err
			}
			return v.follow(cmd.Context())
		},
	}
	c.formats(cmd, "table")
	cmd.Flags().IntVar(&c.viewer.last, "last", 10, "begin with so many of the newest")
	return cmd
}

func (c *cli) export(prepare prepareFunc) *cobra.Command {
	cmd := &cobra.Command{
		Use: "export [FILE]", Short: "Write records to a file, or to standard output", Args: cobra.MaximumNArgs(1),
		Long: `Write records to a file, which is complete or not there at all, or to standard
output. CSV has a line of titles and one kind of record.`,
		Example: "  mcp cdr export --format csv --since 2026-01-01 --until 2026-02-01 january.csv\n  mcp cdr export --kind all > records.json",
		RunE: func(cmd *cobra.Command, args []string) error {
			v, err := prepare(cmd)
			if err != nil {
				return err
			}
			if len(args) == 0 {
				return v.list()
			}
			return v.exportTo(args[0])
		},
	}
	c.formats(cmd, "json")
	return cmd
}

func schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use: "schema", Short: "Print the JSON Schema of the records", Args: cobra.NoArgs,
		Example: "  mcp cdr schema > schema.json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := cmd.OutOrStdout().Write(reporting.JSONSchema())
			return err
		},
	}
}

// exportTo writes a file aside and puts it in its place when it is whole.
func (v *viewer) exportTo(path string) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".export-*")
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	v.out = f
	err = v.list()
	var partial *faultsError
	if errors.As(err, &partial) {
		err = nil // what can be read is exported, and the rest was told
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("export: %w", err), os.Remove(f.Name()))
	}
	fmt.Fprintf(v.warnings, "mcp: %d records written to %s\n", v.shown, path)
	if partial != nil {
		return partial
	}
	return nil
}
