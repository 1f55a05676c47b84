package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
)

// contenders are the ways to relay that this machine has.
func contenders() []contender {
	all := []contender{
		{name: nullNS, start: startNull, packets: 1_000_000},
		{name: nativeNS, against: nullNS, start: startNative, packets: 1_000_000, rateGoal: 0.8},
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
	name     string
	against  string
	goal     float64 // what the ratio is to be; 0: nothing in particular
	rateGoal float64 // what the rate is to be, as a share of the null program's
	start    func(*course) (stop func() error, err error)
	packets  int
	pace     int // packets a second; 0: as fast as they leave
}

// measure gives the CPU time of a packet that went all the way, without what the
// generator and the veth into the relay cost. The cheapest round counts: others
// were disturbed by what else the machine does. It also gives how many packets a
// second went all the way without loss.
func (c contender) measure(ctx context.Context) ([]Result, error) {
	base, err := c.run(ctx, startDrop, c.cheapest)
	if err != nil {
		return nil, fmt.Errorf("measure the generator alone: %w", err)
	}
	all, err := c.run(ctx, c.start, c.cheapest)
	if err != nil {
		return nil, err
	}
	results := []Result{{
		Name: c.name, Unit: "ns/packet", Against: c.against, Goal: c.goal,
		Value: all.nanoseconds - base.nanoseconds, Lost: all.lost,
	}}
	if c.name == pacedNS {
		return results, nil
	}
	if c.pace != 0 {
		if all, err = c.run(ctx, c.start, fastest); err != nil {
			return nil, err
		}
	}
	rate := Result{Name: strings.TrimSuffix(c.name, ".cpu_ns") + ".pps", Unit: "packets/s", Value: all.rate, isRate: true}
	if c.name != nullNS {
		rate.Against, rate.Goal = nullPPS, c.rateGoal
	}
	return append(results, rate), nil
}

type cost struct {
	nanoseconds float64
	lost        float64 // share of packets that did not arrive
	rate        float64 // packets that arrived in a second
}

// run has a relay do its work, warm, and judges it.
func (c contender) run(ctx context.Context, start func(*course) (func() error, error), judge func(context.Context, *course) (cost, error)) (_ cost, err error) {
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
	return judge(ctx, course)
}

// cheapest is the best of some rounds, each in its own right.
func (c contender) cheapest(ctx context.Context, course *course) (cost, error) {
	best := cost{nanoseconds: math.Inf(1)}
	for range rounds {
		one, err := course.drive(ctx, c.packets, c.pace)
		if err != nil {
			return cost{}, err
		}
		if one.lost == 0 {
			best.rate = max(best.rate, one.rate)
		}
		if one.nanoseconds < best.nanoseconds {
			best.nanoseconds, best.lost = one.nanoseconds, one.lost
		}
	}
	return best, nil
}

// fastest raises the pace until packets are lost in each of some rounds.
func fastest(ctx context.Context, course *course) (cost, error) {
	var best cost
	for pace := firstPace; ; pace += pace / 4 {
		lost := true
		for round := 0; lost && round < rounds; round++ {
			one, err := course.drive(ctx, pace/2, pace)
			var few *tooFewError
			if err != nil && !errors.As(err, &few) {
				return cost{}, err
			}
			lost = err != nil || one.lost > 0
		}
		if lost {
			return best, nil
		}
		best.rate = float64(pace)
	}
}
