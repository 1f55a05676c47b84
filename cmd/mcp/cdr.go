package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"mcp/control/reporting"
	"mcp/control/reporting/journal"
)

func cdrCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cdr",
		Short: "Show call records",
		Long: `Show call records from the journal on disk. The platform may be running or not.
With --json every record is one line of JSON as it was stored.`,
	}
	var v recordViewer
	var file string
	cmd.PersistentFlags().StringVarP(&file, "config", "c", "", "configuration file that names the journal")
	cmd.PersistentFlags().StringVar(&v.dir, "dir", "", "the journal's directory; default: the configured one")
	cmd.PersistentFlags().BoolVar(&v.json, "json", false, "JSON, a record a line")
	prepare := func(cmd *cobra.Command) error {
		v.out, v.warnings = cmd.OutOrStdout(), cmd.ErrOrStderr()
		if v.dir != "" {
			return nil
		}
		cfg, err := loadConfig(file)
		v.dir = cfg.Reporting.Journal
		return err
	}
	list := &cobra.Command{
		Use: "list", Short: "Show the records there are", Args: cobra.NoArgs,
		Example: "  mcp cdr list --last 20\n  mcp cdr list --json | jq .end",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return errors.Join(prepare(cmd), v.list())
		},
	}
	list.Flags().IntVar(&v.last, "last", 0, "only so many of the newest; 0: all")
	follow := &cobra.Command{
		Use: "follow", Short: "Show records as calls end", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := prepare(cmd); err != nil {
				return err
			}
			return v.follow(cmd.Context())
		},
	}
	follow.Flags().IntVar(&v.last, "last", 10, "begin with so many of the newest")
	cmd.AddCommand(list, follow)
	return cmd
}

// recordViewer prints the records of a journal.
type recordViewer struct {
	dir      string
	json     bool
	last     int // newest records to begin with; 0: all, when listing
	out      io.Writer
	warnings io.Writer

	next   journal.Position // where reading goes on
	faults int              // places that could not be read
}

// list prints what can be read and fails when something could not.
func (v *recordViewer) list() error {
	records, err := v.read()
	if err != nil {
		return err
	}
	v.header()
	if v.last > 0 {
		records = records[max(0, len(records)-v.last):]
	}
	for _, r := range records {
		v.print(r)
	}
	if v.faults > 0 {
		return fmt.Errorf("%d places of the journal could not be read", v.faults)
	}
	return nil
}

// followInterval is how often the journal's files are looked at.
const followInterval = 300 * time.Millisecond

func (v *recordViewer) follow(ctx context.Context) error {
	records, err := v.read()
	if err != nil {
		return err
	}
	v.header()
	records = records[max(0, len(records)-v.last):]
	tick := time.NewTicker(followInterval)
	defer tick.Stop()
	for {
		for _, r := range records {
			v.print(r)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if records, err = v.read(); err != nil {
			return err
		}
	}
}

// read reads from where it stopped the last time. What is incomplete at the end
// may be a record that is just being written; it is met again the next time.
func (v *recordViewer) read() ([]reporting.Stored, error) {
	var out []reporting.Stored
	for s, err := range reporting.Read(v.dir, v.next) {
		v.next = s.Next
		var damage *journal.DamageError
		switch {
		case errors.As(err, &damage) && damage.Torn:
		case err != nil && s.Next == (journal.Position{}):
			return nil, err
		case err != nil:
			v.faults++
			fmt.Fprintln(v.warnings, "mcp:", err)
		default:
			out = append(out, s)
		}
	}
	return out, nil
}

const recordLine = "%-19s  %9s  %-17s  %-11s  %3s  %-32s  %-32s  %s\n"

func (v *recordViewer) header() {
	if !v.json {
		fmt.Fprintf(v.out, recordLine, "STARTED", "TALK", "CAUSE", "BY", "SIP", "FROM", "TO", "ID")
	}
}

func (v *recordViewer) print(s reporting.Stored) {
	if v.json {
		fmt.Fprintf(v.out, "%s\n", s.JSON)
		return
	}
	r := s.Record
	talk, status := "-", "-"
	if r.AnsweredAt != nil {
		talk = (time.Duration(r.Durations.Talk) * time.Millisecond).String()
	}
	if r.End.SIPStatus != 0 {
		status = fmt.Sprint(r.End.SIPStatus)
	}
	fmt.Fprintf(v.out, recordLine, r.StartedAt.Local().Format(time.DateTime), talk, printable(string(r.End.Cause)),
		printable(string(r.End.By)), status, printable(r.Parties.Remote), printable(r.Parties.Local), printable(r.ID))
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
