// Package bench measures what media costs, side by side in one run. Relaying a
// packet: in the kernel program, through veth pairs in native and generic mode,
// with a copy to userspace, on the socket plane, through rtpengine, and with a
// program that does nothing but redirect. Playing recordings: from the kernel,
// with sendmmsg, and by a plain sender.
//
// The cost of relaying is all the CPU time that this process, rtpengine and the
// kernel's softirq threads spend while packets go from a generator to a sink,
// less that of the generator alone. The cost of playing is the time that the
// player's thread is busy; what the kernel does to deliver the packets is in it.
package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
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
)

const (
	warmUps = 3
	rounds  = 5
)

// Options say where the report goes, and what it is about.
type Options struct {
	Out      string // folder for media.json
	Commit   string // what was built
	Progress io.Writer
}

// Run measures everything, prints a table and writes media.json.
func Run(ctx context.Context, out io.Writer, o Options) error {
	report := Report{Machine: thisMachine(), Commit: o.Commit}
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
	fmt.Fprintln(o.Progress, "measuring prompts")
	prompts, err := measurePrompts(ctx)
	if err != nil {
		return fmt.Errorf("measure prompts: %w", err)
	}
	report.Results = append(report.Results, prompts...)
	for _, c := range contenders() {
		if err := ctx.Err(); err != nil {
			return err
		}
		fmt.Fprintf(o.Progress, "measuring %s\n", c.name)
		m, err := c.measure(ctx)
		if err != nil {
			return fmt.Errorf("measure %s: %w", c.name, err)
		}
		report.Results = append(report.Results, m)
	}
	report.compare()
	if err := report.write(o.Out); err != nil {
		return err
	}
	return report.print(out)
}

// contenders are the ways to relay that this machine has.
func contenders() []contender {
	all := []contender{
		{name: nullNS, start: startNull, packets: 1_000_000},
		{name: nativeNS, against: nullNS, goal: 0.8, start: startNative, packets: 1_000_000},
		{name: pacedNS, against: engineNS, goal: 25, start: startNative, packets: 40_000, pace: socketPace},
		{name: genericNS, against: engineNS, start: startGeneric, packets: 500_000},
		{name: forkNS, against: engineNS, start: startFork, packets: 100_000, pace: 2 * socketPace},
		{name: socketNS, against: engineNS, start: startSocket, packets: 40_000, pace: socketPace},
	}
	if haveRTPEngine() {
		all = append(all, contender{name: engineNS, against: nullNS, start: startRTPEngine, packets: 40_000, pace: socketPace})
	}
	return all
}

// contender is one way to relay.
type contender struct {
	name    string
	against string
	goal    float64 // what the ratio is to be; 0: nothing in particular
	start   func(*course) (stop func() error, err error)
	packets int
	pace    int // packets a second; 0: as fast as they leave
}

// measure gives the CPU time of a packet that went all the way, without what the
// generator and the veth into the relay cost. The cheapest round counts: others
// were disturbed by what else the machine does.
func (c contender) measure(ctx context.Context) (Result, error) {
	r := Result{Name: c.name, Unit: "ns/packet", Against: c.against, Goal: c.goal}
	base, err := c.cost(ctx, startDrop)
	if err != nil {
		return r, fmt.Errorf("measure the generator alone: %w", err)
	}
	all, err := c.cost(ctx, c.start)
	if err != nil {
		return r, err
	}
	r.Value = all.nanoseconds - base.nanoseconds
	r.Lost = all.lost
	return r, nil
}

type cost struct {
	nanoseconds float64
	lost        float64 // share of packets that did not arrive
}

func (c contender) cost(ctx context.Context, start func(*course) (func() error, error)) (_ cost, err error) {
	course, err := newCourse()
	if err != nil {
		return cost{}, err
	}
	defer course.close(&err)
	stop, err := start(course)
	if err != nil {
		return cost{}, err
	}
	defer func() {
		if e := stop(); err == nil {
			err = e
		}
	}()
	// The first rounds find neighbours, have relays learn and warm caches.
	for range warmUps {
		var few *tooFewError
		if _, err := course.drive(ctx, c.packets/10, c.pace); err != nil && !errors.As(err, &few) {
			return cost{}, err
		}
	}
	all := make([]cost, 0, rounds)
	for range rounds {
		one, err := course.drive(ctx, c.packets, c.pace)
		if err != nil {
			return cost{}, err
		}
		all = append(all, one)
	}
	return slices.MinFunc(all, func(a, b cost) int {
		return cmp.Compare(a.nanoseconds, b.nanoseconds)
	}), nil
}
