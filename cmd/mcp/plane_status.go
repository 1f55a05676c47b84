package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"mcp/bpf"
)

// planeReport is a plane's status and what happened since the status before.
type planeReport struct {
	bpf.Status
	Rates []verdictRate `json:",omitempty"`
}

// verdictRate is how often a verdict was given.
type verdictRate struct {
	Name             string
	PacketsPerSecond float64
	BytesPerSecond   float64
}

// planeViewer shows a plane's status once or again and again.
type planeViewer struct {
	dir      string
	json     bool
	watch    bool
	interval time.Duration
}

func planeStatus(dir *string) *cobra.Command {
	var v planeViewer
	cmd := &cobra.Command{
		Use: "status", Short: "Show the plane's mode, interfaces, programs, maps and verdicts", Args: cobra.NoArgs,
		Example: "  mcp plane status\n  mcp plane status --watch\n  mcp plane status --json | jq .Legs",
		RunE: func(cmd *cobra.Command, _ []string) error {
			v.dir = *dir
			return v.run(cmd.Context(), cmd.OutOrStdout())
		},
	}
	cmd.Flags().BoolVar(&v.json, "json", false, "one JSON object each time")
	cmd.Flags().BoolVar(&v.watch, "watch", false, "again and again, with rates, until interrupted")
	cmd.Flags().DurationVar(&v.interval, "interval", 0, "over how long rates are taken (with --watch: 1s)")
	return cmd
}

func (v *planeViewer) run(ctx context.Context, out io.Writer) error {
	if v.watch && v.interval <= 0 {
		v.interval = time.Second
	}
	status, err := bpf.Inspect(v.dir)
	if err != nil {
		return explain(err)
	}
	if v.interval <= 0 {
		return v.print(out, planeReport{Status: status})
	}
	tick := time.NewTicker(v.interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		next, err := bpf.Inspect(v.dir)
		if err != nil {
			return explain(err)
		}
		if err := v.print(out, planeReport{Status: next, Rates: ratesOf(status, next)}); err != nil || !v.watch {
			return err
		}
		status = next
	}
}

// ratesOf compares two statuses. A plane that was loaded anew counts from zero.
func ratesOf(before, now bpf.Status) []verdictRate {
	seconds := now.At.Sub(before.At).Seconds()
	if seconds <= 0 || len(before.Verdicts) != len(now.Verdicts) {
		return nil
	}
	rates := make([]verdictRate, len(now.Verdicts))
	for i, v := range now.Verdicts {
		was := before.Verdicts[i]
		if was.Packets > v.Packets {
			was = bpf.Verdict{}
		}
		rates[i] = verdictRate{
			Name:             v.Name,
			PacketsPerSecond: float64(v.Packets-was.Packets) / seconds,
			BytesPerSecond:   float64(v.Bytes-was.Bytes) / seconds,
		}
	}
	return rates
}

func (v *planeViewer) print(out io.Writer, r planeReport) error {
	if v.json {
		return json.NewEncoder(out).Encode(r)
	}
	var text strings.Builder
	if v.watch {
		text.WriteString("\x1b[H\x1b[2J")
	}
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "pins\t%s\nmode\t%s\nreason\t%s\nlegs\t%d of %d\n", r.Dir, r.Mode, r.Reason, r.Legs, r.MaxLegs)
	printInterfaces(w, r.Interfaces)
	printPrograms(w, r.Programs)
	printMaps(w, r.Maps)
	printVerdicts(w, r)
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := io.WriteString(out, text.String())
	return err
}

func printInterfaces(w io.Writer, all []bpf.Interface) {
	fmt.Fprintln(w, "\nINTERFACE\tMODE\tSTATE\tREASON")
	for _, i := range all {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", i.Name, i.Mode, interfaceState(i), i.Reason)
	}
}

func interfaceState(i bpf.Interface) string {
	switch {
	case !i.Attached:
		return "gone"
	case i.Upgrading:
		return "upgrade interrupted"
	case !i.Sends:
		return "attached, userspace sends"
	}
	return "attached"
}

func printPrograms(w io.Writer, all []bpf.Program) {
	fmt.Fprintln(w, "\nPROGRAM\tTAG\tLOADED\tBYTECODE\tMACHINE CODE\tVERIFIED")
	for _, p := range all {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", p.Name, p.Tag, p.LoadedAt.Format(time.DateTime),
			known(p.Translated, " B"), known(p.Jited, " B"), known(p.Verified, " instructions"))
	}
}

// known words a number that the kernel may keep from a process without privilege.
func known(n int, unit string) string {
	if n <= 0 {
		return "-"
	}
	return fmt.Sprint(n, unit)
}

func printMaps(w io.Writer, all []bpf.Map) {
	fmt.Fprintln(w, "\nMAP\tTYPE\tENTRIES\tMOST\tMEMORY")
	for _, m := range all {
		entries := "-"
		if m.Entries >= 0 {
			entries = fmt.Sprint(m.Entries)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\n", m.Name, m.Type, entries, m.MaxEntries, known((m.Bytes+1023)>>10, " KiB"))
	}
}

func printVerdicts(w io.Writer, r planeReport) {
	if r.Rates == nil {
		fmt.Fprintln(w, "\nVERDICT\tPACKETS\tBYTES")
	} else {
		fmt.Fprintln(w, "\nVERDICT\tPACKETS\tBYTES\tPACKETS/s\tBYTES/s")
	}
	for i, v := range r.Verdicts {
		fmt.Fprintf(w, "%s\t%d\t%d", v.Name, v.Packets, v.Bytes)
		if r.Rates != nil {
			fmt.Fprintf(w, "\t%.1f\t%.0f", r.Rates[i].PacketsPerSecond, r.Rates[i].BytesPerSecond)
		}
		fmt.Fprintln(w)
	}
}
