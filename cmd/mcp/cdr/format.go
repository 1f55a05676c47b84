package cdr

import (
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"mcp/control/reporting"
)

func (v *viewer) checkFormat() error {
	switch {
	case !slices.Contains([]string{"table", "json", "csv"}, v.format):
		return fmt.Errorf("--format: %q is none of table, json, csv", v.format)
	case v.format == "csv" && len(v.filter.kinds) > 1:
		return errors.New("--format csv: a table has one kind of record")
	}
	return nil
}

// layout is how a kind of record is shown: as a table for people, and as one
// for programs.
type layout struct {
	line   string // of the table for people, with its titles
	titles []any
	cells  func(reporting.Stored) []any
	csv    []column // behind those of every kind
}

func (l layout) columns() []column { return slices.Concat(headColumns, l.csv) }

// column is one of a table for programs.
type column struct {
	title string
	value func(reporting.Stored) string
}

var layouts = map[reporting.Kind]layout{
	reporting.KindCall: {
		line:   "%-19s  %9s  %-17s  %-11s  %3s  %-32s  %-32s  %s\n",
		titles: []any{"STARTED", "TALK", "CAUSE", "BY", "SIP", "FROM", "TO", "ID"},
		cells: func(s reporting.Stored) []any {
			r := s.Record
			talk, status := "-", "-"
			if r.AnsweredAt != nil {
				talk = (time.Duration(r.Durations.Talk) * time.Millisecond).String()
			}
			if r.End.SIPStatus != 0 {
				status = strconv.Itoa(r.End.SIPStatus)
			}
			return []any{local(r.StartedAt), talk, string(r.End.Cause), string(r.End.By), status, r.Parties.Remote, r.Parties.Local, r.ID}
		},
		csv: callColumns,
	},
	reporting.KindCustom: eventLayout,
	reporting.KindTrace:  eventLayout,
	reporting.KindOperations: {
		line:   "%-19s  %9s  %8s  %8s  %8s  %6s  %-12s  %s\n",
		titles: []any{"FROM", "INTERVAL", "ARRIVED", "ANSWERED", "ENDED", "PEAK", "TENANT", "APPLICATION"},
		cells: func(s reporting.Stored) []any {
			o := s.Operations
			return []any{
				local(o.From), (time.Duration(o.Interval) * time.Millisecond).Round(time.Second).String(),
				number(o.Arrived), number(o.Answered), number(o.Ended), number(o.Peak), cmp.Or(o.Tenant, "-"), cmp.Or(o.Application, "-"),
			}
		},
		csv: operationsColumns,
	},
}

var eventLayout = layout{
	line:   "%-19s  %9s  %-36s  %-36s  %s\n",
	titles: []any{"AT", "AFTER", "CALL", "NAME", "TEXT"},
	cells: func(s reporting.Stored) []any {
		e := s.Event
		return []any{local(e.At), (time.Duration(e.Offset) * time.Millisecond).String(), e.Call, e.Name, e.Text}
	},
	csv: eventColumns,
}

var headColumns = []column{
	{"id", func(s reporting.Stored) string { return s.ID }},
	{"kind", func(s reporting.Stored) string { return string(s.Kind) }},
	{"component", func(s reporting.Stored) string { return s.Component }},
	{"tenant", func(s reporting.Stored) string { return s.Tenant }},
	{"profile", func(s reporting.Stored) string { return s.Profile }},
	{"session", func(s reporting.Stored) string { return s.Session }},
	{"application", func(s reporting.Stored) string { return s.Application }},
}

var callColumns = []column{
	{"sip_call_id", func(s reporting.Stored) string { return s.Record.SIPCallID }},
	{"local_uri", func(s reporting.Stored) string { return s.Record.Parties.Local }},
	{"remote_uri", func(s reporting.Stored) string { return s.Record.Parties.Remote }},
	{"dnis", func(s reporting.Stored) string { return s.Record.Parties.DNIS }},
	{"ani", func(s reporting.Stored) string { return s.Record.Parties.ANI }},
	{"started_at", func(s reporting.Stored) string { return stamp(&s.Record.StartedAt) }},
	{"answered_at", func(s reporting.Stored) string { return stamp(s.Record.AnsweredAt) }},
	{"ended_at", func(s reporting.Stored) string { return stamp(&s.Record.EndedAt) }},
	{"setup_ms", func(s reporting.Stored) string { return number(s.Record.Durations.Setup) }},
	{"talk_ms", func(s reporting.Stored) string { return number(s.Record.Durations.Talk) }},
	{"total_ms", func(s reporting.Stored) string { return number(s.Record.Durations.Total) }},
	{"cause", func(s reporting.Stored) string { return string(s.Record.End.Cause) }},
	{"ended_by", func(s reporting.Stored) string { return string(s.Record.End.By) }},
	{"sip_status", func(s reporting.Stored) string { return number(s.Record.End.SIPStatus) }},
	{"codec", func(s reporting.Stored) string { return callerLeg(s).Codec }},
	{"received_packets", func(s reporting.Stored) string { return number(callerLeg(s).Received.Packets) }},
	{"sent_packets", func(s reporting.Stored) string { return number(callerLeg(s).Sent.Packets) }},
	{"lost_packets", func(s reporting.Stored) string { return number(callerLeg(s).Received.Lost) }},
	{"jitter_ms", func(s reporting.Stored) string { return decimal(callerLeg(s).Received.Jitter) }},
	{"mos", func(s reporting.Stored) string { return decimal(callerLeg(s).Received.MOS) }},
	{"error", func(s reporting.Stored) string { return s.Record.End.Error }},
}

var eventColumns = []column{
	{"call", func(s reporting.Stored) string { return s.Event.Call }},
	{"at", func(s reporting.Stored) string { return stamp(&s.Event.At) }},
	{"offset_ms", func(s reporting.Stored) string { return number(s.Event.Offset) }},
	{"sequence", func(s reporting.Stored) string { return number(s.Event.Sequence) }},
	{"name", func(s reporting.Stored) string { return s.Event.Name }},
	{"text", func(s reporting.Stored) string { return s.Event.Text }},
}

var operationsColumns = []column{
	{"from", func(s reporting.Stored) string { return stamp(&s.Operations.From) }},
	{"to", func(s reporting.Stored) string { return stamp(&s.Operations.To) }},
	{"arrived", func(s reporting.Stored) string { return number(s.Operations.Arrived) }},
	{"answered", func(s reporting.Stored) string { return number(s.Operations.Answered) }},
	{"ended", func(s reporting.Stored) string { return number(s.Operations.Ended) }},
	{"peak", func(s reporting.Stored) string { return number(s.Operations.Peak) }},
	{"active", func(s reporting.Stored) string { return number(s.Operations.Active) }},
	{"talk_ms", func(s reporting.Stored) string { return number(s.Operations.Talk) }},
}

// callerLeg is the caller's leg of a call, or one without anything.
func callerLeg(s reporting.Stored) reporting.Leg {
	for _, l := range s.Record.Media {
		if l.Name == "caller" {
			return l
		}
	}
	return reporting.Leg{}
}

func number[T int | int64 | uint64](n T) string { return fmt.Sprint(n) }

func decimal(f float64) string { return strconv.FormatFloat(f, 'f', 2, 64) }

func local(t time.Time) string { return t.Local().Format(time.DateTime) }

func stamp(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

// titles prints the titles of a kind, where there are any.
func (v *viewer) titles(kind reporting.Kind) error {
	v.titled = kind
	switch v.format {
	case "table":
		_, err := fmt.Fprintf(v.out, layouts[kind].line, layouts[kind].titles...)
		return err
	case "csv":
		var titles []string
		for _, c := range layouts[kind].columns() {
			titles = append(titles, c.title)
		}
		return v.row(titles)
	}
	return nil
}

func (v *viewer) row(cells []string) error {
	w := csv.NewWriter(v.out)
	if err := w.Write(cells); err != nil {
		return err
	}
	w.Flush()
	return w.Error()
}

func (v *viewer) print(s reporting.Stored) error {
	v.shown++
	l, known := layouts[s.Kind]
	if v.format == "json" || !known {
		_, err := fmt.Fprintf(v.out, "%s\n", s.JSON)
		return err
	}
	if v.format == "csv" {
		cells := make([]string, 0, len(headColumns)+len(l.csv))
		for _, c := range l.columns() {
			cells = append(cells, harmless(c.value(s)))
		}
		return v.row(cells)
	}
	if s.Kind != v.titled {
		if err := v.titles(s.Kind); err != nil {
			return err
		}
	}
	cells := l.cells(s)
	for i, c := range cells {
		cells[i] = printable(c.(string))
	}
	_, err := fmt.Fprintf(v.out, l.line, cells...)
	return err
}

// harmless keeps a spreadsheet from taking what a caller wrote for a formula.
func harmless(s string) string {
	if s != "" && strings.ContainsRune("=@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
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
