package cdr

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"mcp/control/reporting"
)

// filterFlags are a filter as its flags spell it.
type filterFlags struct {
	kind                   string
	since, until           string
	endedSince, endedUntil string
	texts                  map[string]*string // patterns by the name of their flag
}

// fields are what records can be selected by, and the meaning of their flags.
var fields = []struct {
	flag, doc string
	value     func(reporting.Stored) string
}{
	{"id", "of the record", func(s reporting.Stored) string { return s.ID }},
	{"call", "id of the call", callOf},
	{"tenant", "of the call", func(s reporting.Stored) string { return s.Tenant }},
	{"profile", "IVR profile of the call", func(s reporting.Stored) string { return s.Profile }},
	{"application", "URL of the application", func(s reporting.Stored) string { return s.Application }},
	{"component", "name of the platform", func(s reporting.Stored) string { return s.Component }},
	{"session", "session that the call belongs to", func(s reporting.Stored) string { return s.Session }},
	{"from", "remote URI of the call", ofCall(func(r *reporting.Record) string { return r.Parties.Remote })},
	{"to", "local URI of the call", ofCall(func(r *reporting.Record) string { return r.Parties.Local })},
	{"dnis", "number dialled", ofCall(func(r *reporting.Record) string { return r.Parties.DNIS })},
	{"ani", "number calling", ofCall(func(r *reporting.Record) string { return r.Parties.ANI })},
	{"cause", "why the call ended", ofCall(func(r *reporting.Record) string { return string(r.End.Cause) })},
	{"label", "of a custom event, or name of a step", func(s reporting.Stored) string {
		if s.Event == nil {
			return ""
		}
		return s.Event.Name
	}},
}

func ofCall(value func(*reporting.Record) string) func(reporting.Stored) string {
	return func(s reporting.Stored) string {
		if s.Record == nil {
			return ""
		}
		return value(s.Record)
	}
}

func callOf(s reporting.Stored) string {
	switch {
	case s.Event != nil:
		return s.Event.Call
	case s.Record != nil:
		return s.ID
	}
	return ""
}

func (f *filterFlags) flags(flags *pflag.FlagSet) {
	flags.StringVar(&f.kind, "kind", "call", "call, custom, trace, operations or all; several with commas")
	flags.StringVar(&f.since, "since", "", "made at or after: 2006-01-02, 2006-01-02T15:04:05Z, or a duration ago such as 24h; of calls, when they started")
	flags.StringVar(&f.until, "until", "", "made before")
	flags.StringVar(&f.endedSince, "ended-since", "", "calls that ended at or after")
	flags.StringVar(&f.endedUntil, "ended-until", "", "calls that ended before")
	f.texts = map[string]*string{}
	for _, field := range fields {
		f.texts[field.flag] = flags.String(field.flag, "", field.doc+"; a * at the end stands for anything")
	}
}

// filter selects records.
type filter struct {
	kinds                  []reporting.Kind
	since, until           time.Time
	endedSince, endedUntil time.Time
	texts                  []textFilter
}

type textFilter struct {
	value   func(reporting.Stored) string
	pattern string
}

var allKinds = []reporting.Kind{reporting.KindCall, reporting.KindCustom, reporting.KindTrace, reporting.KindOperations}

// prepare reads the flags into a filter.
func (f *filterFlags) prepare(into *filter) error {
	for _, name := range strings.Split(f.kind, ",") {
		switch kind := reporting.Kind(strings.TrimSpace(name)); {
		case kind == "all":
			into.kinds = allKinds
		case slices.Contains(allKinds, kind):
			into.kinds = append(into.kinds, kind)
		default:
			return fmt.Errorf("--kind: %q is none of call, custom, trace, operations, all", name)
		}
	}
	for _, t := range []struct {
		flag, text string
		into       *time.Time
	}{
		{"since", f.since, &into.since}, {"until", f.until, &into.until},
		{"ended-since", f.endedSince, &into.endedSince}, {"ended-until", f.endedUntil, &into.endedUntil},
	} {
		var err error
		if *t.into, err = parseTime(t.text, time.Now()); err != nil {
			return fmt.Errorf("--%s: %w", t.flag, err)
		}
	}
	for _, field := range fields {
		if pattern := *f.texts[field.flag]; pattern != "" {
			into.texts = append(into.texts, textFilter{field.value, pattern})
		}
	}
	return nil
}

// parseTime reads a date, a time or a duration ago. Without a zone it is local.
func parseTime(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(text); err == nil {
		return now.Add(-d), nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", time.DateTime, "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no date (2006-01-02), time (2006-01-02T15:04:05Z) or duration (24h)", text)
}

// takes tells whether a record is selected.
func (f *filter) takes(s reporting.Stored) bool {
	if !slices.Contains(f.kinds, s.Kind) || !within(timeOf(s), f.since, f.until) {
		return false
	}
	if !f.endedSince.IsZero() || !f.endedUntil.IsZero() {
		if s.Record == nil || !within(s.Record.EndedAt, f.endedSince, f.endedUntil) {
			return false
		}
	}
	return !slices.ContainsFunc(f.texts, func(t textFilter) bool { return !match(t.pattern, t.value(s)) })
}

// reports tells whether the journal of reports is needed.
func (f *filter) reports() bool {
	return slices.Contains(f.kinds, reporting.KindTrace) || slices.Contains(f.kinds, reporting.KindOperations)
}

func (f *filter) calls() bool {
	return slices.Contains(f.kinds, reporting.KindCall) || slices.Contains(f.kinds, reporting.KindCustom)
}

func within(t, since, until time.Time) bool {
	return !t.Before(since) && (until.IsZero() || t.Before(until))
}

func match(pattern, text string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(text, prefix)
	}
	return pattern == text
}

// timeOf is when a record was made; of a call, when it started.
func timeOf(s reporting.Stored) time.Time {
	switch {
	case s.Record != nil:
		return s.Record.StartedAt
	case s.Event != nil:
		return s.Event.At
	case s.Operations != nil:
		return s.Operations.From
	}
	return time.Time{}
}
