package main

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"time"

	"github.com/spf13/cobra"

	"mcp/bpf"
	"mcp/cmd/mcp/columns"
)

func streamsCommand() *cobra.Command {
	v := legViewer{read: bpf.InspectLegs, print: printStreams, sort: "local"}
	cmd := &cobra.Command{
		Use: "streams", Short: "Show the RTP streams that leave", Args: cobra.NoArgs,
		Long: `Show every RTP stream that leaves, one a leg: its numbers as they left last, and
where its packets come from at present. A stream is one for the whole call, whatever
is behind it: another leg, relayed in the kernel, or mcp itself with a prompt, a
digit or mixed audio. The rate is measured for a second.`,
		Example: `  mcp streams
  mcp streams --call 6f1c --watch
  mcp streams --json | jq -r 'select(.packets_per_second < 45) | .local'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			v.out = cmd.OutOrStdout()
			before, err := v.take(snapshot{})
			if err != nil {
				return explain(err)
			}
			select {
			case <-cmd.Context().Done():
				return nil
			case <-time.After(watchInterval):
			}
			s, err := v.take(before)
			if err != nil {
				return explain(err)
			}
			if !v.watch {
				return v.print(&v, s)
			}
			return v.follow(cmd.Context(), s)
		},
	}
	v.flags(cmd)
	return cmd
}

// streamJSON is an outgoing stream for machines. Its field names stay.
type streamJSON struct {
	At               time.Time  `json:"at"`
	LegID            string     `json:"leg_id"`
	Local            string     `json:"local"`
	Far              string     `json:"far,omitempty"`
	Owner            ownerJSON  `json:"owner,omitzero"`
	SSRC             uint32     `json:"ssrc"`
	Started          bool       `json:"started"`
	Sequence         uint16     `json:"sequence"`
	Timestamp        uint32     `json:"timestamp"`
	LastAt           *time.Time `json:"last_at,omitempty"`
	Source           string     `json:"source"` // none, relay or self
	SourceLegID      string     `json:"source_leg_id,omitempty"`
	Packets          uint64     `json:"packets"`
	Relayed          uint64     `json:"packets_relayed"`
	PacketsPerSecond float64    `json:"packets_per_second"`
}

func streamReport(s snapshot, l bpf.LegInfo) streamJSON {
	j := streamJSON{
		At: s.at, LegID: legID(l.ID), Local: l.Local.String(), Far: portText(l.Far), Owner: ownerReport(l.Owner),
		SSRC: l.Stream.SSRC, Started: l.Stream.Started, Sequence: l.Stream.Sequence, Timestamp: l.Stream.Timestamp,
		Source: "none", Packets: l.Stats.TxPackets, Relayed: l.Stats.TxRelayed,
	}
	if before, known := s.before[l.ID]; known && s.past > 0 {
		j.PacketsPerSecond = rate(before.Stats.TxPackets, l.Stats.TxPackets, s.past)
	}
	if !l.Stream.Started {
		return j
	}
	j.LastAt, j.Source = &l.Stream.At, "self"
	if l.Stream.SourceID != 0 {
		j.Source, j.SourceLegID = "relay", legID(l.Stream.SourceID)
	}
	return j
}

func printStreams(v *legViewer, s snapshot) error {
	if v.json {
		encoder := json.NewEncoder(v.out)
		for _, l := range s.legs {
			if err := encoder.Encode(streamReport(s, l)); err != nil {
				return err
			}
		}
		return nil
	}
	v.clear()
	if len(s.legs) == 0 {
		_, err := fmt.Fprintln(v.out, "no streams")
		return err
	}
	name, common := namesOf(s.legs)
	if common != "" {
		fmt.Fprintf(v.out, "local address %s\n", common)
	}
	return streamTable(s, name).Write(v.out, v.width())
}

func streamTable(s snapshot, name func(netip.AddrPort) string) columns.Table {
	t := columns.Table{Columns: []columns.Column{
		{Title: "LOCAL", Least: 14}, {Title: "FAR", Least: 15}, {Title: "SSRC"}, {Title: "SEQ", Right: true},
		{Title: "TIMESTAMP", Right: true, Rank: 4}, {Title: "SOURCE", Least: 12}, {Title: "SENT", Right: true},
		{Title: "RATE/s", Right: true}, {Title: "LAST", Right: true, Rank: 3}, {Title: "CALL", Least: 8, Rank: 1},
		{Title: "ROLE", Rank: 5}, {Title: "LEG ID", Spare: true},
	}}
	other := s.namer()
	for _, l := range s.legs {
		r := streamReport(s, l)
		seq, ts, at := "-", "-", "-"
		if r.Started {
			seq, ts, at = fmt.Sprint(r.Sequence), fmt.Sprint(r.Timestamp), ago(s.at.Sub(*r.LastAt))
		}
		source := r.Source
		if source == "relay" {
			source = "relay " + other(l.Stream.SourceID)
		}
		t.Rows = append(t.Rows, []string{
			name(l.Local), farText(l), fmt.Sprintf("%08x", r.SSRC), seq, ts, source, number(r.Packets),
			fmt.Sprintf("%.0f", r.PacketsPerSecond), at, printable(r.Owner.Call), printable(r.Owner.Role), r.LegID,
		})
	}
	return t
}
