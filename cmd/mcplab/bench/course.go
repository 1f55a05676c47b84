package bench

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"mcp/bpf/bpfbench"
	"mcp/bpf/bpftest"
)

const (
	streams     = 100 // calls the packets are spread over
	firstPort   = 20000
	farPort     = 4000
	payload     = 160 // 20 ms of G.711
	frameTicks  = 160
	socketPace  = 40_000
	settleLimit = 200 * time.Millisecond

	burstsPerSecond = 250
	loopback        = 1 // its index
)

// course is the way packets take: made in one namespace, relayed in the second,
// counted in the third.
//
//	source 10.1.0.2 ---- 10.1.0.1 relay 10.2.0.1 ---- 10.2.0.2 sink
type course struct {
	source, relay, sink *bpftest.NetNS
	out, in, on, end    *bpftest.End // in the order packets pass them
	bench               *bpfbench.Bench
	copies              *counter // that userspace is to get; nil: none
	beside              int      // process whose CPU time counts, too; 0: none
	softirqs            []string // where the kernel tells the CPU time of its softirq threads
}

func newCourse() (*course, error) { return newListeningCourse(bpfbench.Listen{}) }

// newListeningCourse makes a course at whose end streams may be listened to.
func newListeningCourse(listen bpfbench.Listen) (_ *course, err error) {
	c := &course{}
	defer func() {
		if err != nil {
			c.close(&err)
		}
	}()
	for _, ns := range []**bpftest.NetNS{&c.source, &c.relay, &c.sink} {
		if *ns, err = bpftest.OpenNetNS(); err != nil {
			return nil, err
		}
	}
	c.out = &bpftest.End{NS: c.source, Name: "out", Addrs: []string{"10.1.0.2/24"}, GRO: true}
	c.in = &bpftest.End{NS: c.relay, Name: "in", Addrs: []string{"10.1.0.1/24"}, GRO: true}
	c.on = &bpftest.End{NS: c.relay, Name: "on", Addrs: []string{"10.2.0.1/24"}, GRO: true}
	c.end = &bpftest.End{NS: c.sink, Name: "end", Addrs: []string{"10.2.0.2/24"}, GRO: true}
	if err := errors.Join(bpftest.Join(c.out, c.in), bpftest.Join(c.on, c.end)); err != nil {
		return nil, err
	}
	if err := c.on.Neighbor("10.2.0.2", c.end.MAC); err != nil {
		return nil, err
	}
	frames := make([][]byte, streams)
	for i := range frames {
		frames[i] = c.frame(i)
	}
	if c.softirqs, err = kernelThreads(); err != nil {
		return nil, err
	}
	c.bench, err = bpfbench.New(bpfbench.Config{Frames: frames, NullDst: c.end.MAC, NullSrc: c.on.MAC, Listen: listen})
	if err != nil {
		return nil, err
	}
	return c, c.source.Do(func() error { return c.bench.Settle(loopback) })
}

// close frees the course and adds what went wrong to err.
func (c *course) close(err *error) {
	if c.bench != nil {
		*err = errors.Join(*err, c.bench.Close())
	}
	for _, ns := range []*bpftest.NetNS{c.source, c.relay, c.sink} {
		if ns != nil {
			*err = errors.Join(*err, ns.Close())
		}
	}
}

// Endpoints of stream i: the far end that talks, our leg towards it, our leg
// towards the far end that listens, and that one.
func talker(i int) netip.AddrPort   { return endpoint("10.1.0.2", farPort, i) }
func near(i int) netip.AddrPort     { return endpoint("10.1.0.1", firstPort, i) }
func onward(i int) netip.AddrPort   { return endpoint("10.2.0.1", firstPort, i) }
func listener(i int) netip.AddrPort { return endpoint("10.2.0.2", farPort, i) }

func endpoint(addr string, first, i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr(addr), uint16(first+2*i))
}

func (c *course) frame(i int) []byte {
	return bpftest.Frame{
		DstMAC: [6]byte(c.in.MAC), SrcMAC: [6]byte(c.out.MAC),
		Src: talker(i), Dst: near(i),
		Payload: bpftest.RTP{SSRC: uint32(i + 1), Payload: make([]byte, payload)}.Bytes(),
	}.Bytes()
}

// retarget sends stream i to another port of the relay.
func (c *course) retarget(i int, to netip.AddrPort) error {
	frame := bpftest.Frame{
		DstMAC: [6]byte(c.in.MAC), SrcMAC: [6]byte(c.out.MAC), Src: talker(i), Dst: to,
		Payload: bpftest.RTP{SSRC: uint32(i + 1), Payload: make([]byte, payload)}.Bytes(),
	}
	return c.bench.SetFrame(i, frame.Bytes())
}

// drive sends packets down the course and gives what each that arrived cost.
func (c *course) drive(ctx context.Context, packets, pace int) (cost, error) {
	before, err := c.arrived()
	if err != nil {
		return cost{}, err
	}
	start, err := c.spentCPU()
	if err != nil {
		return cost{}, err
	}
	begin := time.Now()
	if err := c.source.Do(func() error { return c.send(ctx, packets, pace) }); err != nil {
		return cost{}, err
	}
	arrived, err := c.settle(before, uint64(packets))
	if err != nil {
		return cost{}, err
	}
	took := time.Since(begin)
	stop, err := c.spentCPU()
	if err != nil {
		return cost{}, err
	}
	if arrived < uint64(packets)/2 {
		return cost{}, &tooFewError{arrived, packets}
	}
	return cost{
		nanoseconds: float64(stop-start) / float64(arrived),
		lost:        1 - float64(arrived)/float64(packets),
		rate:        float64(arrived) / took.Seconds(),
	}, nil
}

// tooFewError tells that a relay did not do its work.
type tooFewError struct {
	arrived uint64
	sent    int
}

func (e *tooFewError) Error() string {
	return fmt.Sprintf("only %d of %d packets arrived", e.arrived, e.sent)
}

// send hands packets to the first veth, where a pace is asked for in bursts: each
// start of the generator costs the kernel some work of its own.
func (c *course) send(ctx context.Context, packets, pace int) error {
	if pace == 0 {
		return c.bench.Send(c.out.Index, packets)
	}
	burst := max(pace/burstsPerSecond, 1)
	tick := time.NewTicker(time.Second / time.Duration(pace/burst))
	defer tick.Stop()
	for sent := 0; sent < packets; sent += burst {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		if err := c.bench.Send(c.out.Index, burst); err != nil {
			return err
		}
	}
	return nil
}

// settle waits until all packets arrived, or no more do.
func (c *course) settle(before, want uint64) (uint64, error) {
	last, since := uint64(0), time.Now()
	for {
		seen, err := c.arrived()
		if err != nil {
			return 0, err
		}
		if seen-before >= want {
			return want, nil
		}
		if seen != last {
			last, since = seen, time.Now()
		}
		if time.Since(since) > settleLimit {
			return seen - before, nil
		}
		time.Sleep(time.Millisecond)
	}
}

// arrived counts the packets that went all the way, copies included.
func (c *course) arrived() (uint64, error) {
	seen, err := c.bench.Seen()
	if c.copies != nil {
		seen = min(seen, c.copies.count.Load())
	}
	return seen, err
}

// spentCPU is the CPU time of this process, of one beside it, and of the kernel
// threads that finish the network's work for them.
func (c *course) spentCPU() (time.Duration, error) {
	var self unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &self); err != nil {
		return 0, err
	}
	spent := time.Duration(self.Utime.Nano() + self.Stime.Nano())
	paths := c.softirqs
	if c.beside != 0 {
		tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", c.beside))
		if err != nil {
			return 0, err
		}
		paths = append(slices.Clone(paths), tasks...)
	}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			return 0, err
		}
		var ns int64
		if _, err := fmt.Sscan(string(b), &ns); err != nil {
			return 0, err
		}
		spent += time.Duration(ns)
	}
	return spent, nil
}

// attachSink counts at an interface of a namespace.
func (c *course) attachSink(e *bpftest.End) error {
	return e.NS.Do(func() error { return c.bench.AttachSink(e.Index) })
}

// attachListener counts and listens at the end of the course.
func (c *course) attachListener() error {
	return c.end.NS.Do(func() error { return c.bench.AttachListen(c.end.Index) })
}

func interfaceNames(ends ...*bpftest.End) []string {
	names := make([]string, 0, len(ends))
	for _, e := range ends {
		names = append(names, e.Name)
	}
	return names
}
