package cdr

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"slices"
	"time"

	"mcp/control/reporting"
	"mcp/control/reporting/journal"
)

// viewer prints the records of a directory of journals.
type viewer struct {
	dir      string
	format   string
	last     int // newest records to begin with; 0: all, when listing
	filter   filter
	out      io.Writer
	warnings io.Writer

	calls, reports journal.Position // where reading goes on
	faults         int              // places that could not be read
	shown          int              // records
	titled         reporting.Kind   // kind of record that the latest titles are of
}

// faultsError says that not everything could be read.
type faultsError struct{ places int }

func (e *faultsError) Error() string {
	return fmt.Sprintf("%d places of the journal could not be read", e.places)
}

// list prints what can be read and fails when something could not. Without a
// bound it prints as it reads: a journal may be larger than memory.
func (v *viewer) list() error {
	if err := v.titles(v.filter.kinds[0]); err != nil {
		return err
	}
	if v.last > 0 || v.filter.calls() && v.filter.reports() {
		records, err := v.read()
		if err != nil {
			return err
		}
		if v.last > 0 {
			records = records[max(0, len(records)-v.last):]
		}
		for _, r := range records {
			if err := v.print(r); err != nil {
				return err
			}
		}
	} else if err := v.each(v.print); err != nil {
		return err
	}
	if v.faults > 0 {
		return &faultsError{v.faults}
	}
	return nil
}

// followInterval is how often the journals' files are looked at.
const followInterval = 300 * time.Millisecond

func (v *viewer) follow(ctx context.Context) error {
	records, err := v.read()
	if err != nil {
		return err
	}
	if err := v.titles(v.filter.kinds[0]); err != nil {
		return err
	}
	records = records[max(0, len(records)-v.last):]
	tick := time.NewTicker(followInterval)
	defer tick.Stop()
	for {
		for _, r := range records {
			if err := v.print(r); err != nil {
				return err
			}
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

// read reads from where it stopped the last time, in the order of time.
func (v *viewer) read() ([]reporting.Stored, error) {
	var out []reporting.Stored
	err := v.each(func(s reporting.Stored) error {
		out = append(out, s)
		return nil
	})
	if v.filter.calls() && v.filter.reports() {
		slices.SortStableFunc(out, func(a, b reporting.Stored) int { return timeOf(a).Compare(timeOf(b)) })
	}
	return out, err
}

// each visits what is new in the journals and selected.
func (v *viewer) each(visit func(reporting.Stored) error) error {
	if v.filter.calls() {
		if err := v.scan(reporting.Read(v.dir, v.calls), &v.calls, visit); err != nil {
			return err
		}
	}
	if !v.filter.reports() {
		return nil
	}
	err := v.scan(reporting.ReadReports(v.dir, v.reports), &v.reports, visit)
	if errors.Is(err, fs.ErrNotExist) && v.filter.calls() {
		return nil // a journal of an earlier version has no reports
	}
	return err
}

// scan visits a journal's records and moves next behind them. What is incomplete
// at the end may be a record that is just being written; it is met again the
// next time.
func (v *viewer) scan(records iter.Seq2[reporting.Stored, error], next *journal.Position, visit func(reporting.Stored) error) error {
	for s, err := range records {
		nowhere := s.Next == (journal.Position{})
		if !nowhere {
			*next = s.Next
		}
		var damage *journal.DamageError
		switch {
		case errors.As(err, &damage) && damage.Torn:
		case err != nil && nowhere:
			return err
		case err != nil:
			v.faults++
			fmt.Fprintln(v.warnings, "mcp:", err)
		case v.filter.takes(s):
			if err := visit(s); err != nil {
				return err
			}
		}
	}
	return nil
}
