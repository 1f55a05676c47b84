package bench

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"mcp/bpf"
	"mcp/bpf/player"
)

const (
	kernelStreams  = "prompt.kernel.streams_per_core"
	mmsgStreams    = "prompt.sendmmsg.streams_per_core"
	goudpStreams   = "prompt.goudp.streams_per_core"
	kernelPromptNS = "prompt.kernel.cpu_ns"
	mmsgPromptNS   = "prompt.sendmmsg.cpu_ns"

	ptime       = 20 * time.Millisecond
	promptRun   = 2 * time.Second
	promptGoal  = 100_000
	legsPerAddr = 12_500
)

// ladder is how many streams are tried, one step after the other.
func ladder() []int {
	return []int{1000, 2000, 5000, 10_000, 15_000, 20_000, 30_000, 40_000, 60_000, 80_000, 100_000}
}

// promptCost is one step's outcome.
type promptCost struct {
	late        uint64 // packets, or times, that a packet was a whole packet late
	nanoseconds float64
}

// climb finds the most streams that nobody heard falter, and what a packet cost
// there.
func climb(ctx context.Context, try func(ctx context.Context, streams int) (promptCost, error)) (int, promptCost, error) {
	best, at := 0, promptCost{}
	for _, n := range ladder() {
		if err := ctx.Err(); err != nil {
			return 0, at, err
		}
		c, err := try(ctx, n)
		if err != nil {
			return 0, at, fmt.Errorf("%d streams: %w", n, err)
		}
		if c.late > 0 {
			break
		}
		best, at = n, c
	}
	return best, at, nil
}

// measurePrompts finds how many recordings in G.711 one core plays at once.
func measurePrompts(ctx context.Context) ([]Result, error) {
	inKernel, cost, err := climb(ctx, func(_ context.Context, n int) (promptCost, error) { return play(n, false) })
	if err != nil {
		return nil, fmt.Errorf("play from the kernel: %w", err)
	}
	bySystemCall, mmsgCost, err := climb(ctx, func(_ context.Context, n int) (promptCost, error) { return play(n, true) })
	if err != nil {
		return nil, fmt.Errorf("play with sendmmsg: %w", err)
	}
	byGo, _, err := climb(ctx, speak)
	if err != nil {
		return nil, fmt.Errorf("play with a plain sender: %w", err)
	}
	return []Result{
		{Name: kernelStreams, Unit: "streams", Value: float64(inKernel), AtLeast: promptGoal},
		{Name: kernelPromptNS, Unit: "ns/packet", Value: cost.nanoseconds},
		{Name: mmsgStreams, Unit: "streams", Value: float64(bySystemCall)},
		{Name: mmsgPromptNS, Unit: "ns/packet", Value: mmsgCost.nanoseconds},
		{Name: goudpStreams, Unit: "streams", Value: float64(byGo)},
	}, nil
}

// play has the player say one recording to many legs. Its thread is one core at
// most, which also does what the kernel does to hand the packets to the sink.
func play(streams int, portable bool) (_ promptCost, err error) {
	c, err := newCourse()
	if err != nil {
		return promptCost{}, err
	}
	defer c.close(&err)
	if err := c.attachSink(c.end); err != nil {
		return promptCost{}, err
	}
	kernel, unload, err := c.load(bpf.Config{
		Mode: bpf.ModeNative, Interfaces: interfaceNames(c.in, c.on), MaxLegs: uint32(streams),
	})
	if err != nil {
		return promptCost{}, err
	}
	defer func() { err = errors.Join(err, kernel.Close(), unload()) }()
	if err := kernel.Receive(func(bpf.Event) {}); err != nil {
		return promptCost{}, err
	}
	p, err := player.New(kernel, player.Config{Portable: portable})
	if err != nil {
		return promptCost{}, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	if !portable && !p.InKernel() {
		return promptCost{}, errors.New(p.Reason())
	}
	if err := playToAll(kernel, p, streams); err != nil {
		return promptCost{}, err
	}
	return c.listen(p)
}

func playToAll(kernel *bpf.Plane, p *player.Player, streams int) error {
	clip, err := p.NewClip(player.Format{Name: "PCMU", Rate: 8000, Silence: 0xff})
	if err != nil {
		return err
	}
	if _, err := clip.Write(make([]byte, 8000)); err != nil {
		return err
	}
	clip.End(nil)
	for i := range streams {
		local := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 2, byte(i / legsPerAddr), 1}), uint16(firstPort+2*(i%legsPerAddr)))
		leg, err := kernel.AddLeg(local, uint32(i))
		if err != nil {
			return err
		}
		err = leg.Configure(bpf.LegConfig{
			Far: bpf.FarEnd{RTP: listener(i % legsPerAddr)}, ClockRate: 8000, FrameTicks: frameTicks,
			EventType: bpf.NoType, MaySend: true, MayReceive: true,
		})
		if err != nil {
			return err
		}
		s, err := p.NewStream(leg, player.StreamConfig{Ptime: ptime})
		if err == nil {
			err = s.Play(clip, player.Options{Repeat: -1})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// listen waits while the player plays, and sees what became of it.
func (c *course) listen(p *player.Player) (promptCost, error) {
	time.Sleep(promptRun / 2) // all have begun, and know their way
	before, start := p.Stats(), time.Now()
	seen, err := c.bench.Seen()
	if err != nil {
		return promptCost{}, err
	}
	time.Sleep(promptRun)
	after, took := p.Stats(), time.Since(start)
	heard, err := c.bench.Seen()
	if err != nil {
		return promptCost{}, err
	}
	sent := after.Sent - before.Sent
	// What is under way at either end makes up a packet a stream.
	if slack := uint64(after.Streams); heard-seen+slack < sent {
		return promptCost{}, fmt.Errorf("only %d of %d packets arrived", heard-seen, sent)
	}
	cost := promptCost{late: after.Stalls - before.Stalls, nanoseconds: float64(after.Busy-before.Busy) / float64(sent)}
	if due := uint64(after.Streams) * uint64(took/ptime); sent+2*uint64(after.Streams) < due {
		cost.late += due - sent
	}
	return cost, nil
}

// speak is what one would write without a media platform: a goroutine a stream,
// which sleeps until its next packet is due and writes it to a shared socket.
func speak(ctx context.Context, streams int) (_ promptCost, err error) {
	c, err := newCourse()
	if err != nil {
		return promptCost{}, err
	}
	defer c.close(&err)
	if err := c.attachSink(c.end); err != nil {
		return promptCost{}, err
	}
	var conn *net.UDPConn
	err = c.relay.Do(func() (err error) {
		conn, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(10, 2, 0, 1)})
		return err
	})
	if err != nil {
		return promptCost{}, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	ctx, stop := context.WithTimeout(ctx, promptRun+promptRun/2)
	defer stop()
	var late atomic.Uint64
	var speakers sync.WaitGroup
	begin := time.Now().Add(promptRun / 4)
	for i := range streams {
		speakers.Go(func() {
			first := begin.Add(ptime * time.Duration(i) / time.Duration(streams))
			late.Add(speakOne(ctx, conn, listener(i%legsPerAddr), first))
		})
	}
	speakers.Wait()
	return promptCost{late: late.Load()}, nil
}

// speakOne counts the packets that it was a whole packet late with.
func speakOne(ctx context.Context, conn *net.UDPConn, to netip.AddrPort, due time.Time) (late uint64) {
	packet := make([]byte, 12+payload)
	packet[0] = 0x80
	timer := time.NewTimer(time.Until(due))
	defer timer.Stop()
	for n := uint32(0); ; n++ {
		select {
		case <-ctx.Done():
			return late
		case <-timer.C:
		}
		binary.BigEndian.PutUint16(packet[2:], uint16(n))
		binary.BigEndian.PutUint32(packet[4:], n*frameTicks)
		if time.Since(due) > ptime {
			late++
		}
		if _, err := conn.WriteToUDPAddrPort(packet, to); err != nil {
			late++
		}
		due = due.Add(ptime)
		timer.Reset(time.Until(due))
	}
}
