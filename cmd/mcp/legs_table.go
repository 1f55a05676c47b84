package main

import (
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"mcp/bpf"
	"mcp/cmd/mcp/columns"
)

func legTable(out io.Writer, s snapshot, width int) error {
	if len(s.legs) == 0 {
		_, err := fmt.Fprintln(out, "no legs")
		return err
	}
	t := columns.Table{Columns: []columns.Column{
		{Title: "LOCAL", Least: 14}, {Title: "FAR", Least: 15}, {Title: "STATE"}, {Title: "PT", Rank: 6},
		{Title: "IN", Right: true}, {Title: "OUT", Right: true}, {Title: "IN/s", Right: true}, {Title: "OUT/s", Right: true},
		{Title: "LOSS", Right: true}, {Title: "JIT", Right: true, Rank: 4}, {Title: "HEARD", Right: true},
		{Title: "TO", Least: 14, Rank: 1}, {Title: "DROP", Right: true}, {Title: "CALL", Least: 8, Rank: 2},
		{Title: "ROLE", Rank: 5}, {Title: "ID", Spare: true},
	}}
	if s.past > 0 {
		// While people watch, the rates tell more than the totals.
		t.Columns[4].Rank, t.Columns[5].Rank = 3, 3
	}
	name, common := namesOf(s.legs)
	other := s.namer()
	for _, l := range s.legs {
		t.Rows = append(t.Rows, legRow(s, l, name, other))
	}
	if common != "" {
		fmt.Fprintf(out, "local address %s\n", common)
	}
	return t.Write(out, width)
}

func legRow(s snapshot, l bpf.LegInfo, name func(netip.AddrPort) string, other func(id uint64) string) []string {
	loss, jitter, heard := "-", "-", "-"
	if at := l.Stats.Source.At; !at.IsZero() {
		loss = fmt.Sprintf("%.1f%%", lossOf(l))
		jitter = milliseconds(l.Stats.RxJitter)
		heard = ago(s.at.Sub(at))
	}
	in, out := s.rates(l)
	return []string{
		name(l.Local), farText(l), stateOf(l), typesText(l), number(l.Stats.RxPackets), number(l.Stats.TxPackets),
		in, out, loss, jitter, heard, routeText(l, other), number(dropsOf(l)), printable(l.Owner.Call), printable(l.Owner.Role),
		legID(l.ID),
	}
}

// namesOf leaves the address out of the legs' names where all have the same one.
func namesOf(legs []bpf.LegInfo) (name func(netip.AddrPort) string, common string) {
	for _, l := range legs {
		if l.Local.Addr() != legs[0].Local.Addr() {
			return netip.AddrPort.String, ""
		}
	}
	shared := legs[0].Local.Addr()
	return func(a netip.AddrPort) string {
		if a.Addr() == shared {
			return fmt.Sprintf(":%d", a.Port())
		}
		return a.String()
	}, shared.String()
}

func farText(l bpf.LegInfo) string {
	switch {
	case l.Far.IsValid():
		return l.Far.String()
	case l.Signalled.IsValid():
		return l.Signalled.String() + "?"
	}
	return "-"
}

func typesText(l bpf.LegInfo) string {
	if l.AudioType == bpf.NoType {
		return "-"
	}
	if l.EventType == bpf.NoType {
		return fmt.Sprint(l.AudioType)
	}
	return fmt.Sprintf("%d+%d", l.AudioType, l.EventType)
}

// routeText says where a leg's audio goes.
func routeText(l bpf.LegInfo, name func(id uint64) string) string {
	var to []string
	if l.RelayTo != 0 {
		to = append(to, name(l.RelayTo))
	}
	if l.Copy {
		to = append(to, "user")
	}
	if len(to) == 0 {
		return "-"
	}
	return strings.Join(to, "+")
}

// namer names other legs in a row: by the port alone where it is one leg's only,
// and "gone" where the leg has ended.
func (s snapshot) namer() func(id uint64) string {
	ports := make(map[uint16]int)
	for _, l := range s.all {
		ports[l.Local.Port()]++
	}
	return func(id uint64) string {
		l, open := s.all[id]
		switch {
		case !open:
			return "gone"
		case ports[l.Local.Port()] == 1:
			return fmt.Sprintf(":%d", l.Local.Port())
		}
		return l.Local.String()
	}
}

// rates are packets a second; empty: not known.
func (s snapshot) rates(l bpf.LegInfo) (in, out string) {
	before, known := s.before[l.ID]
	if !known || s.past <= 0 {
		return "", ""
	}
	return fmt.Sprintf("%.0f", rate(before.Stats.RxPackets, l.Stats.RxPackets, s.past)),
		fmt.Sprintf("%.0f", rate(before.Stats.TxPackets, l.Stats.TxPackets, s.past))
}

func rate(before, after uint64, past time.Duration) float64 {
	return float64(after-before) / past.Seconds()
}

func legID(id uint64) string { return fmt.Sprintf("%016x", id) }

// number keeps a count within five characters.
func number(n uint64) string {
	if n < 1e5 {
		return fmt.Sprint(n)
	}
	for _, unit := range []struct {
		size   float64
		letter string
	}{{1e12, "T"}, {1e9, "G"}, {1e6, "M"}} {
		if value := float64(n) / unit.size; value >= 10 {
			return fmt.Sprintf("%.0f%s", value, unit.letter)
		} else if value >= 1 {
			return fmt.Sprintf("%.1f%s", value, unit.letter)
		}
	}
	return fmt.Sprintf("%dk", n/1000)
}

// milliseconds keeps a short time within five characters.
func milliseconds(d time.Duration) string {
	ms := float64(d) / float64(time.Millisecond)
	if ms >= 10 {
		return fmt.Sprintf("%.0fms", ms)
	}
	return fmt.Sprintf("%.1fms", ms)
}

// ago keeps a span of time within five characters.
func ago(d time.Duration) string {
	switch {
	case d < 0:
		return "0ms"
	case d < time.Second:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case d < 100*time.Second:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < 100*time.Minute:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	}
	return fmt.Sprintf("%dh", int(d.Hours()))
}
