package top

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"mcp/cmd/mcp/columns"
	"mcp/control/node/console"
	"mcp/control/reporting/recent"
)

// sizeOf is how much fits on what is written to; height 0: there is no limit.
func sizeOf(out io.Writer) (width, height int) {
	if f, ok := out.(*os.File); ok {
		if size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ); err == nil && size.Row > 0 {
			height = int(size.Row)
		}
	}
	return columns.Width(out), height
}

// above is how many lines stand above the rows, and below is kept for what follows.
const above, below = 5, 2

// screen is the report as text; width 0: there is no limit.
func (r report) screen(width, height int) string {
	var b strings.Builder
	o := r.Overview
	left := fmt.Sprintf("mcp on %s, up %s, plane %s", o.Host, span(o.At.Sub(o.Started)), o.Plane.Mode)
	fmt.Fprintf(&b, "%-*s%s\n", max(0, width-8), left, o.At.Local().Format("15:04:05"))
	totals := fmt.Sprintf("%s   %s   in %.0f/s   out %.0f/s   loss %s   refused %d",
		count(o.Calls, "call"), count(o.Legs, "leg"), o.Received, o.Sent, percent(o.Loss), refused(o))
	if width > 0 && len(totals) > width {
		totals = strings.ReplaceAll(totals, "   ", " ")
	}
	b.WriteString(totals + "\n\n")
	if len(r.Calls)+len(r.Legs) == 0 {
		b.WriteString("No call is up.\n")
		return b.String()
	}
	rows := r.rows()
	most := len(rows)
	if height > 0 {
		most = min(most, max(1, height-above-below))
	}
	t := columns.Table{Columns: []columns.Column{
		{Title: "CALL"}, {Title: "LASTED", Right: true}, {Title: "FROM", Least: 10}, {Title: "TO", Least: 10, Rank: 1},
		{Title: "LEG", Least: 6}, {Title: "CODEC", Rank: 3}, {Title: "IN/s", Right: true}, {Title: "OUT/s", Right: true},
		{Title: "LOSS", Right: true}, {Title: "JIT", Right: true}, {Title: "MOS", Right: true}, {Title: "DROP", Right: true, Rank: 2},
		{Title: "FAR", Least: 15, Rank: 4},
		{Title: "SRTP", Least: 4, Rank: 5},
	}, Rows: rows[:most]}
	_ = t.Write(&b, width) // a builder takes everything
	if most < len(rows) {
		fmt.Fprintf(&b, "and %s more\n", count(len(rows)-most, "leg"))
	}
	return b.String()
}

// count is a number of things.
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// rows are the legs of the calls, those with the most loss first, calls of the same
// loss by how long they last; then those of calls that nothing is known of, such as the
// platform's calls to itself.
func (r report) rows() (out [][]string) {
	legs := map[string][]console.Leg{}
	for _, l := range r.Legs {
		legs[l.Call] = append(legs[l.Call], l)
	}
	worst := func(c recent.Call) (loss float64) {
		for _, l := range legs[c.ID] {
			loss = max(loss, l.Loss)
		}
		return loss
	}
	calls := slices.Clone(r.Calls)
	slices.SortStableFunc(calls, func(a, b recent.Call) int {
		return cmp.Or(cmp.Compare(worst(b), worst(a)), a.Begun.Compare(b.Begun))
	})
	for _, c := range calls {
		head := []string{short(c.ID), span(r.Overview.At.Sub(c.Begun)), party(c.From), party(c.To)}
		out = append(out, ofCall(head, legs[c.ID])...)
		delete(legs, c.ID)
	}
	for _, id := range slices.Sorted(maps.Keys(legs)) {
		out = append(out, ofCall([]string{short(id), "", "", ""}, legs[id])...)
	}
	return out
}

// ofCall are the rows of one call; what is the call's own is said once.
func ofCall(head []string, legs []console.Leg) (out [][]string) {
	if len(legs) == 0 {
		return [][]string{append(head, "", "", "", "", "", "", "", "", "", "")}
	}
	for _, l := range legs {
		mos := "-"
		if l.MOS > 0 {
			mos = fmt.Sprintf("%.1f", l.MOS)
		}
		out = append(out, append(head, l.Name, l.Codec, fmt.Sprintf("%.0f", l.Received), fmt.Sprintf("%.0f", l.Sent),
			percent(l.Loss), fmt.Sprintf("%.0fms", l.Jitter), mos, fmt.Sprint(l.Dropped), l.Far, protection(l)))
		head = []string{"", "", "", ""}
	}
	return out
}

// protection is how a leg's packets are protected.
func protection(l console.Leg) string { return strings.TrimSpace(l.Keys + " " + l.SRTP) }

func refused(o console.Overview) (n uint64) {
	for _, c := range o.Dropped {
		n += c
	}
	return n
}

// short is the end of an identifier, which differs the most.
func short(id string) string { return id[max(0, len(id)-8):] }

// party is a SIP URI without its scheme and parameters.
func party(uri string) string {
	_, rest, _ := strings.Cut(uri, ":")
	rest, _, _ = strings.Cut(rest, ";")
	return rest
}

func percent(share float64) string { return fmt.Sprintf("%.1f%%", 100*share) }

// span keeps a span of time within six characters.
func span(d time.Duration) string {
	switch s := int(max(0, d).Seconds()); {
	case s < 100:
		return fmt.Sprintf("%ds", s)
	case s < 100*60:
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	case s < 100*3600:
		return fmt.Sprintf("%dh%02dm", s/3600, s/60%60)
	default:
		return fmt.Sprintf("%dd", s/86400)
	}
}
