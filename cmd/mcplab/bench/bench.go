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

// Options say where the report goes, and what it is about.
type Options struct {
	Out      string // folder for media.json
	Platform string // the platform's binary; if it is not there, some things are not measured
	Commit   string // what was built
	Progress io.Writer
}

// Run measures everything, prints a table and writes media.json.
func Run(ctx context.Context, out io.Writer, o Options) error {
	report := Report{Machine: ThisMachine(), Commit: o.Commit}
	program, err := timePrograms()
	if err != nil {
		return fmt.Errorf("time the programs: %w", err)
	}
	report.Results = append(report.Results, program...)
	setup, err := timeSetup()
	if err != nil {
		return fmt.Errorf("time setting up: %w", err)
	}
	report.Results = append(report.Results, setup...)
	prompts, err := measurePrompts(ctx, o.Progress)
	if err != nil {
		return fmt.Errorf("measure prompts: %w", err)
	}
	report.Results = append(report.Results, prompts...)
	if a := fullArrivals(o.Platform); a.can() {
		fmt.Fprintf(o.Progress, "measuring %s\n", arrivalsPlayer)
		arrived, err := a.measure(ctx)
		if err != nil {
			return fmt.Errorf("measure prompts while calls arrive: %w", err)
		}
		report.Results = append(report.Results, arrived...)
	}
	for _, c := range contenders() {
		if err := ctx.Err(); err != nil {
			return err
		}
		fmt.Fprintf(o.Progress, "measuring %s\n", c.name)
		m, err := c.measure(ctx)
		var few *tooFewError
		if errors.As(err, &few) { // it has no cost that could be compared
			fmt.Fprintf(o.Progress, "%s is left out: %v\n", c.name, err)
			continue
		}
		if err != nil {
			return fmt.Errorf("measure %s: %w", c.name, err)
		}
		report.Results = append(report.Results, m...)
	}
	report.compare()
	if err := report.Save(o.Out, "media.json"); err != nil {
		return err
	}
	return report.Print(out)
}
