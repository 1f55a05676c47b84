package bench

import (
	"errors"
	"net/netip"
	"time"

	"mcp/bpf"
	"mcp/control/media"
)

const (
	setupUS    = "plane.pair_setup_us"
	teardownUS = "plane.pair_teardown_us"
	memoryMiB  = "plane.memory_mib"
	perLegsKiB = "plane.memory_per_1000_legs_kib"

	setupPairs = 5000
	manyLegs   = 25_000
)

// timeSetup opens, connects and joins pairs of legs in both directions, closes
// them again, and says what the maps for 25,000 legs take.
func timeSetup() (_ []Result, err error) {
	c, err := newCourse()
	if err != nil {
		return nil, err
	}
	defer c.close(&err)
	_, plane, unload, err := loadPlane(c, bpf.ModeNative)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, unload()) }()
	results := []Result{{Name: setupUS, Unit: "us/pair", Limit: 50}, {Name: teardownUS, Unit: "us/pair", Limit: 50}}
	for range rounds {
		up, down, err := timePairs(plane)
		if err != nil {
			return nil, err
		}
		results[0].lower(float64(up.Nanoseconds()) / 1000 / setupPairs)
		results[1].lower(float64(down.Nanoseconds()) / 1000 / setupPairs)
	}
	memory, err := mapMemory(c)
	return append(results, memory...), err
}

func timePairs(plane media.Plane) (up, down time.Duration, err error) {
	var legs []media.PlaneLeg
	start := time.Now()
	for i := range setupPairs {
		a, b, err := openPair(plane, i)
		if err != nil {
			return 0, 0, err
		}
		legs = append(legs, a, b)
	}
	up, start = time.Since(start), time.Now()
	for _, l := range legs {
		if _, err := l.Close(nil); err != nil {
			return 0, 0, err
		}
	}
	return up, time.Since(start), nil
}

func openPair(plane media.Plane, i int) (a, b media.PlaneLeg, err error) {
	a, err = plane.Open(media.LegConfig{Local: near(i), SSRC: 1})
	if err != nil {
		return nil, nil, err
	}
	b, err = plane.Open(media.LegConfig{Local: onward(i), SSRC: 2})
	if err != nil {
		return nil, nil, err
	}
	agreed := func(far netip.AddrPort) media.FarEnd {
		return media.FarEnd{RTP: far, Events: 101, ClockRate: 8000, Ptime: 20 * time.Millisecond, Send: true, Receive: true}
	}
	err = errors.Join(a.Connect(agreed(talker(i))), b.Connect(agreed(listener(i))),
		a.Route(media.Route{To: b}), b.Route(media.Route{To: a}))
	return a, b, err
}

// mapMemory compares planes for many legs and for one.
func mapMemory(c *course) ([]Result, error) {
	least, err := c.memory(1)
	if err != nil {
		return nil, err
	}
	most, err := c.memory(manyLegs)
	if err != nil {
		return nil, err
	}
	return []Result{
		{Name: memoryMiB, Unit: "MiB", Value: most / (1 << 20), Limit: 512},
		{Name: perLegsKiB, Unit: "KiB", Value: (most - least) / (1 << 10) / (manyLegs / 1000)},
	}, nil
}

// memory is what the maps of a plane take that has room for so many legs, all of
// which are described by their owners.
func (c *course) memory(legs int) (_ float64, err error) {
	kernel, unload, err := c.load(bpf.Config{Mode: bpf.ModeGeneric, MaxLegs: uint32(legs), Interfaces: []string{"lo"}})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, kernel.Close(), unload()) }()
	spread := []string{"10.1.0.1", "10.2.0.1", "10.9.0.1"} // each has 12,500 ports
	for i := range legs {
		l, err := kernel.AddLeg(endpoint(spread[i%len(spread)], firstPort, i/len(spread)), 1)
		if err == nil {
			err = l.Own(bpf.Owner{Call: "call", Role: "caller"})
		}
		if err != nil {
			return 0, err
		}
	}
	status, err := bpf.Inspect(kernel.Dir())
	if err != nil {
		return 0, err
	}
	sum := 0
	for _, m := range status.Maps {
		sum += m.Bytes
	}
	return float64(sum), nil
}
