package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mcp/bpf"
	"mcp/cmd/mcp/columns"
)

func legsCommand() *cobra.Command {
	v := legViewer{read: bpf.InspectLegs, print: printLegs, sort: "local"}
	cmd := &cobra.Command{
		Use: "legs", Short: "Show the media legs in the kernel", Args: cobra.NoArgs,
		Long: `Show every media leg in the kernel: its addresses, its state and what it carried.
It reads the pinned maps, so mcp serve may be running or not. Legs that SRTP protects
are on sockets, not in the kernel: "mcp top" shows them with the others.

STATE is open; latched: the far end was learned from its packets; latching: not yet,
nothing is sent before; sendonly, recvonly, held: what the offers and answers allow;
muted: no far end is known. OUT counts packets, and HEARD is how long ago the
latest packet came. TO is the leg that sends the audio on; "user": the process does
something with it. DROPS counts the leg's packets that were refused; --json tells why.`,
		Example: `  mcp legs
  mcp legs --watch --sort loss
  mcp legs --call 6f1c --wide
  mcp legs --json | jq -r 'select(.drops_total > 0) | [.local, (.drops | tostring)] | @tsv'`,
		RunE: v.run,
	}
	v.flags(cmd)
	cmd.Flags().StringVar(&v.sort, "sort", v.sort, "order: "+strings.Join(sortedNames(legOrders), ", "))
	return cmd
}

// legViewer shows legs, once or again and again.
type legViewer struct {
	read  func(dir string) ([]bpf.LegInfo, error)
	print func(v *legViewer, s snapshot) error
	dir   string
	call  string
	sort  string
	json  bool
	wide  bool
	watch bool
	out   io.Writer
}

// snapshot is the legs at one time, and those of the time before, by their ids.
type snapshot struct {
	at     time.Time
	legs   []bpf.LegInfo
	all    map[uint64]bpf.LegInfo // also those of other calls, which legs may send to
	before map[uint64]bpf.LegInfo
	past   time.Duration // since then; zero: there is no time before
}

func (v *legViewer) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&v.dir, "pins", bpf.DefaultDir, "directory of the pins, on a bpf file system")
	f.StringVar(&v.call, "call", "", "only the legs of calls whose identifier contains this")
	f.BoolVar(&v.json, "json", false, "JSON, one object a line")
	f.BoolVar(&v.wide, "wide", false, "every column, whatever the terminal's width")
	f.BoolVar(&v.watch, "watch", false, "again every second, with rates, until interrupted")
}

// watchInterval is over how long rates are taken.
const watchInterval = time.Second

func (v *legViewer) run(cmd *cobra.Command, _ []string) error {
	v.out = cmd.OutOrStdout()
	if _, known := legOrders[v.sort]; !known {
		return fmt.Errorf("--sort: %q is none of %s", v.sort, strings.Join(sortedNames(legOrders), ", "))
	}
	s, err := v.take(snapshot{})
	if err != nil {
		return explain(err)
	}
	if !v.watch {
		return v.print(v, s)
	}
	return v.follow(cmd.Context(), s)
}

func (v *legViewer) follow(ctx context.Context, s snapshot) error {
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	for {
		var err error
		if err = v.print(v, s); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if s, err = v.take(s); err != nil {
			return explain(err)
		}
	}
}

// clear begins a screen anew, when it is one that people watch.
func (v *legViewer) clear() {
	if v.watch && !v.json {
		fmt.Fprint(v.out, "\x1b[H\x1b[2J")
	}
}

func (v *legViewer) width() int {
	if v.wide {
		return 0
	}
	return columns.Width(v.out)
}

// take reads the legs.
func (v *legViewer) take(last snapshot) (snapshot, error) {
	legs, err := v.read(v.dir)
	s := snapshot{at: time.Now(), before: last.all, all: make(map[uint64]bpf.LegInfo, len(legs))}
	if !last.at.IsZero() {
		s.past = s.at.Sub(last.at)
	}
	for _, l := range legs {
		s.all[l.ID] = l
		if strings.Contains(l.Owner.Call, v.call) {
			s.legs = append(s.legs, l)
		}
	}
	slices.SortStableFunc(s.legs, legOrders[v.sort])
	return s, err
}

// legOrders are the ways to sort; those by a number begin with the greatest.
var legOrders = map[string]func(a, b bpf.LegInfo) int{
	"local": func(a, b bpf.LegInfo) int { return a.Local.Compare(b.Local) },
	"call": func(a, b bpf.LegInfo) int {
		return cmp.Or(cmp.Compare(a.Owner.Call, b.Owner.Call), cmp.Compare(a.Owner.Role, b.Owner.Role))
	},
	"in":     func(a, b bpf.LegInfo) int { return cmp.Compare(b.Stats.RxPackets, a.Stats.RxPackets) },
	"out":    func(a, b bpf.LegInfo) int { return cmp.Compare(b.Stats.TxPackets, a.Stats.TxPackets) },
	"loss":   func(a, b bpf.LegInfo) int { return cmp.Compare(lossOf(b), lossOf(a)) },
	"jitter": func(a, b bpf.LegInfo) int { return cmp.Compare(b.Stats.RxJitter, a.Stats.RxJitter) },
	"heard":  func(a, b bpf.LegInfo) int { return a.Stats.Source.At.Compare(b.Stats.Source.At) },
	"drops":  func(a, b bpf.LegInfo) int { return cmp.Compare(dropsOf(b), dropsOf(a)) },
}

func sortedNames[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// lossOf is the share of packets that did not arrive, in percent.
func lossOf(l bpf.LegInfo) float64 {
	expected := float64(l.Stats.RxPackets) + float64(l.Stats.RxLost)
	if expected <= 0 {
		return 0
	}
	return max(0, 100*float64(l.Stats.RxLost)/expected)
}

func dropsOf(l bpf.LegInfo) (total uint64) {
	for _, n := range l.Stats.Dropped {
		total += n
	}
	return total
}

// stateOf says in one word what keeps a leg from carrying audio both ways.
func stateOf(l bpf.LegInfo) string {
	switch {
	case !l.Signalled.IsValid():
		return "muted"
	case l.Latching():
		return "latching"
	case !l.MaySend && !l.MayReceive:
		return "held"
	case !l.MaySend:
		return "recvonly"
	case !l.MayReceive:
		return "sendonly"
	case l.Far != l.Signalled:
		return "latched"
	}
	return "open"
}

// explain tells an operator what to do about a plane that cannot be read.
func explain(err error) error {
	switch {
	case errors.Is(err, bpf.ErrNotLoaded):
		return fmt.Errorf("%w. mcp serve is not running, or pins elsewhere (--pins), "+
			"or carries audio on sockets; its log's line %q says which", err, "media plane")
	case errors.Is(err, bpf.ErrPermission):
		return fmt.Errorf("%w. Run it as root, or as the owner of the pins", err)
	}
	return err
}

func printLegs(v *legViewer, s snapshot) error {
	if v.json {
		encoder := json.NewEncoder(v.out)
		for _, l := range s.legs {
			if err := encoder.Encode(legReport(s, l)); err != nil {
				return err
			}
		}
		return nil
	}
	v.clear()
	return legTable(v.out, s, v.width())
}
