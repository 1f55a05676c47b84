package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"mcp/bpf/bpfbench"
)

// Names later comparisons rely on.
const (
	kernelPlayer = "prompt.kernel"
	mmsgPlayer   = "prompt.sendmmsg"
	goudpPlayer  = "prompt.goudp"
	enginePlayer = "prompt.rtpengine"

	// arrivalsPlayer is the kernel's, while calls arrive.
	arrivalsPlayer = "prompt.kernel.arrivals"

	streamsPerCore = ".streams_per_core"
	promptNS       = ".cpu_ns"
)

const (
	ptime       = 20 * time.Millisecond
	promptRun   = 2 * time.Second
	promptTries = 3
	promptGoal  = 100_000
	legsPerAddr = 12_500
	jitterAt    = 5000 // streams, or as many as there can be
	jitterGoal  = 2    // ms
)

// ladder is how many streams are tried, one step after the other.
func ladder() []int {
	return []int{
		250, 500, 1000, 2000, 3000, 4000, 5000, 7500, 10_000, 12_500, 15_000, 20_000, 25_000, 30_000, 40_000,
		50_000, 60_000, 80_000, 100_000,
	}
}

// promptCost is one step's outcome.
type promptCost struct {
	late        uint64 // packets, or times, that a packet was a whole packet late
	nanoseconds float64
	even        bpfbench.Evenness // as who listens hears it
	start       time.Duration     // from asking to the first packet, of 99 in 100; 0: not known
	thread      float64           // ns of the player's thread a packet; 0: it has none of its own
}

// errNoMore says that so many streams cannot even be begun.
var errNoMore = errors.New("no more streams can be begun")

// recital is one way to play recordings to many.
type recital struct {
	name string
	most int // streams that can be told apart; 0: all
	try  func(ctx context.Context, streams int) (promptCost, error)
}

// recitals are the ways that this machine has.
func recitals() []recital {
	all := []recital{
		{name: kernelPlayer, try: func(_ context.Context, n int) (promptCost, error) { return play(n, false) }},
		{name: mmsgPlayer, try: func(_ context.Context, n int) (promptCost, error) { return play(n, true) }},
		{name: goudpPlayer, try: speak, most: legsPerAddr},
	}
	if haveRTPEngine() {
		all = append(all, recital{name: enginePlayer, try: recite})
	}
	return all
}

// climb finds the most streams that nobody heard falter, what a packet cost there,
// and how even the streams were when there were jitterAt, or the most below.
func (r recital) climb(ctx context.Context, steps []int, progress io.Writer) ([]Result, error) {
	best, at, middle := 0, promptCost{}, promptCost{}
	for _, n := range steps {
		if r.most != 0 && n > r.most {
			break
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		c, err := r.attempt(ctx, n)
		if errors.Is(err, errNoMore) {
			fmt.Fprintf(progress, "%s: %v\n", r.name, err)
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%d streams: %w", n, err)
		}
		if c.late > 0 {
			fmt.Fprintf(progress, "%s: of %d streams, %d packets were late, at %.0f ns a packet, %.0f in the player's thread\n", r.name, n, c.late, c.nanoseconds, c.thread)
			break
		}
		best, at = n, c
		if n <= jitterAt {
			middle = c
		}
	}
	streams := Result{Name: r.name + streamsPerCore, Unit: "streams", Value: float64(best)}
	if r.name == kernelPlayer {
		streams.AtLeast = promptGoal
	}
	if best == 0 {
		return []Result{streams}, nil
	}
	results := []Result{streams, {Name: r.name + promptNS, Unit: "ns/packet", Value: at.nanoseconds}}
	if at.thread > 0 {
		results = append(results, Result{Name: r.name + ".thread_ns", Unit: "ns/packet", Value: at.thread})
	}
	if middle.start > 0 {
		results = append(results, Result{Name: r.name + ".start_p99_ms", Unit: "ms", Value: inMS(middle.start), Limit: inMS(ptime)})
	}
	return append(results, jitter(r.name, middle.even)...), nil
}

func inMS(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// attempt tries a few times, as a machine has hiccups of its own.
func (r recital) attempt(ctx context.Context, streams int) (c promptCost, err error) {
	for range promptTries {
		if c, err = r.try(ctx, streams); err != nil || c.late == 0 {
			break
		}
	}
	return c, err
}

// jitter is how far from even a player's packets came.
func jitter(name string, e bpfbench.Evenness) []Result {
	p99 := Result{Name: name + ".jitter_p99_ms", Unit: "ms", Value: inMS(e.P99)}
	if name == kernelPlayer || name == arrivalsPlayer {
		p99.Limit = jitterGoal
	}
	return []Result{
		{Name: name + ".jitter_p50_ms", Unit: "ms", Value: inMS(e.P50)},
		p99,
		{Name: name + ".jitter_max_ms", Unit: "ms", Value: inMS(e.Max)},
	}
}

// hear listens for a while to streams that play, and sees what each packet costs.
func (c *course) hear(streams int) (promptCost, error) {
	seen, err := c.bench.Seen()
	if err != nil {
		return promptCost{}, err
	}
	if _, err := c.bench.Evenness(); err != nil { // what was heard before
		return promptCost{}, err
	}
	start, err := c.spentCPU()
	if err != nil {
		return promptCost{}, err
	}
	time.Sleep(promptRun)
	stop, err := c.spentCPU()
	if err != nil {
		return promptCost{}, err
	}
	even, err := c.bench.Evenness()
	if err != nil {
		return promptCost{}, err
	}
	heard, err := c.bench.Seen()
	if err != nil {
		return promptCost{}, err
	}
	heard -= seen
	cost := promptCost{late: even.Missed, nanoseconds: float64(stop-start) / float64(max(heard, 1)), even: even}
	// A packet of each stream may be under way at either end.
	if due := uint64(streams) * uint64(promptRun/ptime-2); heard < due {
		cost.late += due - heard
	}
	return cost, nil
}
