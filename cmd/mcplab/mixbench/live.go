package mixbench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"mcp/cmd/mcplab/bench"
	"mcp/cmd/mcplab/janus"
	"mcp/control/media"
	"mcp/control/media/clock"
	"mcp/control/media/codec"
	"mcp/control/media/conference"
	"mcp/control/media/socket"
)

// liveFor is how long conferences are held in real time.
const liveFor = 5 * time.Second

// assembly is conferences that are held in real time.
type assembly struct {
	name    string
	sizes   []int
	options conference.Options
}

// live holds conferences on the socket plane, and as large ones on Janus if it is
// installed: everybody sends and is sent 50 packets a second.
func live(ctx context.Context) (results []bench.Result, err error) {
	sizes := make([]int, trios)
	for i := range sizes {
		sizes[i] = 3
	}
	all := []assembly{{"one_conference_500", []int{crowd}, conference.Options{Loudest: loudest}}, {"three_party_300", sizes, conference.Options{}}}
	for _, one := range all {
		r, err := one.hold()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", one.name, err)
		}
		results = append(results, r...)
	}
	for _, one := range all {
		r, err := one.holdByJanus(ctx)
		switch {
		case errors.Is(err, janus.ErrMissing):
			return results, nil
		case err != nil:
			return nil, fmt.Errorf("%s by Janus: %w", one.name, err)
		}
		for i := range results {
			if results[i].Name == one.cores() {
				results[i].Against = r.Name
			}
		}
		results = append(results, r)
	}
	return results, nil
}

// cores names how many the platform takes.
func (o assembly) cores() string { return "live." + o.name + ".cores" }

// holdByJanus is the same conferences elsewhere. All who are there are heard: its mixer
// does not choose.
func (o assembly) holdByJanus(ctx context.Context) (r bench.Result, err error) {
	s, err := janus.Start(ctx)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	a, err := newAudience()
	if err != nil {
		return r, err
	}
	for i, size := range o.sizes {
		for range size {
			to, err := s.Join(ctx, i+1, a.conn.LocalAddr().(*net.UDPAddr).AddrPort())
			if err != nil {
				return r, err
			}
			a.to = append(a.to, to)
		}
	}
	before, err := s.CPU()
	if err != nil {
		return r, err
	}
	used := a.attend()
	after, err := s.CPU()
	return bench.Result{
		Name: "live.janus_" + o.name + ".cores", Value: (used + after - before).Seconds() / liveFor.Seconds(), Unit: "cores", Lost: a.missing(),
	}, err
}

// audience are the far ends of conferences on sockets.
type audience struct {
	conn    *net.UDPConn // all send from here and hear here
	to      []netip.AddrPort
	speaker *speaker
	heard   int
}

func (o assembly) hold() (_ []bench.Result, err error) {
	log := slog.New(slog.DiscardHandler)
	plane := socket.New("benchmark", log)
	engine, err := media.NewEngine(media.Config{}, plane, log)
	if err != nil {
		return nil, err
	}
	a, err := newAudience()
	if err != nil {
		return nil, err
	}
	b := conference.NewBridge(engine.Clock(), log)
	var sessions []*media.Session
	for i, size := range o.sizes {
		c, err := b.Open(fmt.Sprint(i), o.options)
		if err != nil {
			return nil, err
		}
		for n := range size {
			s := engine.NewSession(fmt.Sprint(i, n))
			sessions = append(sessions, s)
			if err := a.enter(s, c, fmt.Sprint(n)); err != nil {
				return nil, err
			}
		}
	}
	late := engine.Clock().Late()
	used := a.attend()
	late = engine.Clock().Late() - late
	for _, s := range sessions {
		s.Close()
	}
	all := float64(liveFor / clock.Frame)
	mixed := max(1, all-float64(late))
	return []bench.Result{
		{Name: "live." + o.name + ".missed_frames", Value: float64(late), Unit: "frames", Limit: 0.5},
		{Name: o.cores(), Value: used.Seconds() / (mixed * clock.Frame.Seconds()), Unit: "cores", Lost: a.missing()},
	}, errors.Join(b.Close(), engine.Close(), plane.Close())
}

func newAudience() (*audience, error) {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	v, err := newSpeaker(codec.PCMU)
	return &audience{conn: conn, speaker: v}, errors.Join(err, conn.SetReadBuffer(8<<20))
}

func (a *audience) enter(s *media.Session, c *conference.Conference, id string) error {
	l, err := s.OpenLeg("caller", netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		return err
	}
	err = l.Connect(media.FarEnd{
		RTP: a.conn.LocalAddr().(*net.UDPAddr).AddrPort(), RTCP: netip.MustParseAddrPort("127.0.0.1:9"), PayloadType: 0, Events: -1,
		ClockRate: 8000, Ptime: clock.Frame, Send: true, Receive: true,
	}, codec.PCMU)
	if err != nil {
		return err
	}
	a.to = append(a.to, l.Local())
	return c.Join(l, conference.Member{ID: id})
}

// attend sends and hears until the time is over, and tells the CPU time of this process
// that went by.
func (a *audience) attend() time.Duration {
	var listening sync.WaitGroup
	listening.Go(func() {
		var buf [2048]byte
		for {
			if _, _, err := a.conn.ReadFromUDPAddrPort(buf[:]); err != nil {
				return
			}
			a.heard++
		}
	})
	from := cpu()
	ticker := time.NewTicker(clock.Frame)
	defer ticker.Stop()
	for end := time.Now().Add(liveFor); time.Now().Before(end); <-ticker.C {
		p := a.speaker.next()
		for _, to := range a.to {
			if _, err := a.conn.WriteToUDPAddrPort(p, to); err != nil {
				break
			}
		}
	}
	used := cpu() - from
	a.conn.Close()
	listening.Wait()
	return used
}

// missing is the share of what should have been heard that was not.
func (a *audience) missing() float64 {
	return max(0, 1-float64(a.heard)/float64(liveFor/clock.Frame)/float64(len(a.to)))
}
