package bench

import (
	"errors"
	"net/netip"
	"slices"
	"sync"
	"time"

	"mcp/bpf"
	"mcp/bpf/bpfbench"
	"mcp/bpf/player"
)

// listenedTo is one of how many streams is listened to: all would cost the player
// more than some of its packets do.
const listenedTo = 8

// play has the player say one recording to many legs. Its thread is one core at
// most, which also does what the kernel does to hand the packets to the sink.
func play(streams int, portable bool) (_ promptCost, err error) {
	c, err := newListeningCourse(bpfbench.Listen{BySource: true, First: firstPort, Ports: legsPerAddr, Every: listenedTo})
	if err != nil {
		return promptCost{}, err
	}
	defer c.close(&err)
	if err := c.attachListener(); err != nil {
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
	var begun starts
	if err := playToAll(kernel, p, streams, &begun); err != nil {
		return promptCost{}, err
	}
	cost, err := c.listenTo(p, streams)
	cost.start = begun.p99()
	return cost, err
}

// starts is how long it took from asking for recordings to their first packets.
type starts struct {
	mu   sync.Mutex
	took []time.Duration
}

// notify notes when the recording begins that is asked for at this moment.
func (s *starts) notify() func(player.Event) {
	asked := time.Now()
	return func(e player.Event) {
		if e.Kind != player.Started {
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.took = append(s.took, e.At.Sub(asked))
	}
}

func (s *starts) p99() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.took) == 0 {
		return 0
	}
	slices.Sort(s.took)
	return s.took[(len(s.took)-1)*99/100]
}

func playToAll(kernel *bpf.Plane, p *player.Player, streams int, begun *starts) error {
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
		s, err := p.NewStream(leg, player.StreamConfig{Ptime: ptime, Notify: begun.notify()})
		if err == nil {
			err = s.Play(clip, player.Options{Repeat: -1})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// listenTo waits until all have begun and know their way, and listens.
func (c *course) listenTo(p *player.Player, streams int) (promptCost, error) {
	time.Sleep(promptRun / 2)
	before := p.Stats()
	cost, err := c.hear(streams)
	after := p.Stats()
	cost.late += after.Stalls - before.Stalls
	cost.thread = float64(after.Busy-before.Busy) / float64(max(after.Sent-before.Sent, 1))
	return cost, err
}
