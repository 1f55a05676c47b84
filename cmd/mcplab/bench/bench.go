// Package bench measures what media costs, side by side in one run. Relaying a
// packet: in the kernel program, through veth pairs in native and generic mode,
// with a copy to userspace, on the socket plane, through rtpengine, and with a
// program that does nothing but redirect. Playing recordings: from the kernel,
// with sendmmsg, by a plain sender, by rtpengine, and by the whole platform while
// calls arrive.
//
// The cost of relaying is all the CPU time that this process, rtpengine and the
// kernel's softirq threads spend while packets go from a generator to a sink,
// less that of the generator alone. A rate is that of packets from the generator
// to the sink without loss; where the relay is in the kernel all three share a
// core. The cost of playing is all the CPU time that is spent while recordings
// play, that of delivering them to who listens included. A player is as good as
// who listens finds it: a stream falters when a packet comes a whole packet late,
// and its jitter is how far from even its packets come.
package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Names later comparisons rely on.
const (
	nativeNS  = "relay.native.cpu_ns"
	pacedNS   = "relay.native_paced.cpu_ns" // at the pace of those in userspace
	genericNS = "relay.generic.cpu_ns"
	socketNS  = "relay.socket.cpu_ns"
	nullNS    = "relay.null.cpu_ns"
	forkNS    = "relay.fork.cpu_ns"
	engineNS  = "rtpengine.userspace.cpu_ns"
	programNS = "relay.program.ns"
	nullRunNS = "relay.null.program.ns"
	nullPPS   = "relay.null.pps"
)

const (
	warmUps   = 3
	rounds    = 5
	firstPace = 20_000 // packets a second
)

// Options say what is measured and where the report goes.
type Options struct {
	Out      string   // folder for media.json
	Only     []string // how the names begin of what is measured; all if empty
	Streams  int      // prompts that are played at once; if zero, as many as there can be
	Platform string   // the platform's binary; if it is not there, some things are not measured
	Lab      string   // this program's binary, which measures wake-ups; empty: they are not measured
	Commit   string   // what was built
	Progress io.Writer
}

// part is a measurement that stands alone.
type part struct {
	name    string
	measure func(ctx context.Context) ([]Result, error)
}

// Run measures everything, prints a table and writes media.json.
func Run(ctx context.Context, out io.Writer, o Options) error {
	report := Report{Machine: ThisMachine(), Commit: o.Commit}
	chosen := slices.DeleteFunc(parts(o), func(p part) bool { return !o.Wants(p.name) })
	if len(chosen) == 0 {
		return o.NothingWanted()
	}
	for _, p := range chosen {
		if err := ctx.Err(); err != nil {
			return err
		}
		fmt.Fprintf(o.Progress, "measuring %s\n", p.name)
		found, err := p.measure(ctx)
		var few *tooFewError
		if errors.As(err, &few) { // it has no cost that could be compared
			fmt.Fprintf(o.Progress, "%s is left out: %v\n", p.name, err)
			continue
		}
		if err != nil {
			return fmt.Errorf("measure %s: %w", p.name, err)
		}
		report.Results = append(report.Results, found...)
	}
	report.compare()
	if err := Save(o.Out, "media.json", report); err != nil {
		return err
	}
	return report.Print(out)
}

// Wants tells whether what has a name is to be measured.
func (o Options) Wants(name string) bool {
	return len(o.Only) == 0 || slices.ContainsFunc(o.Only, func(begin string) bool { return strings.HasPrefix(name, begin) })
}

// NothingWanted is the error where no measurement has a name that Only wants.
func (o Options) NothingWanted() error {
	return fmt.Errorf("nothing that can be measured has a name that begins with %s", strings.Join(o.Only, " or "))
}

// parts are what this machine can measure, in the order of the report.
func parts(o Options) []part {
	all := []part{
		{programNS, func(context.Context) ([]Result, error) { return timePrograms() }},
		{"plane", func(context.Context) ([]Result, error) { return timeSetup() }},
	}
	steps := ladder()
	if o.Streams != 0 {
		steps = []int{o.Streams}
	}
	for _, r := range recitals() {
		all = append(all, part{r.name, func(ctx context.Context) ([]Result, error) { return r.climb(ctx, steps, o.Progress) }})
	}
	if a := fullArrivals(o.Platform, o.Lab); a.can() {
		all = append(all, part{arrivalsPlayer, a.measure})
	}
	for _, c := range contenders() {
		all = append(all, part{c.name, c.measure})
	}
	return all
}
