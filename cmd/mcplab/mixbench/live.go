package mixbench

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"mcp/cmd/mcplab/bench"
	"mcp/control/media"
	"mcp/control/media/clock"
	"mcp/control/media/codec"
	"mcp/control/media/conference"
	"mcp/control/media/socket"
)

// liveFor is how long conferences are held in real time.
const liveFor = 5 * time.Second

// live holds conferences on the socket plane: everybody sends and is sent 50
// packets a second.
func live() ([]bench.Result, error) {
	sizes := make([]int, trios)
	for i := range sizes {
		sizes[i] = 3
	}
	var results []bench.Result
	for _, one := range []struct {
		name  string
		sizes []int
		o     conference.Options
	}{
		{"live.one_conference_500", []int{crowd}, conference.Options{Loudest: loudest}},
		{"live.three_party_300", sizes, conference.Options{}},
	} {
		r, err := hold(one.name, one.sizes, one.o)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", one.name, err)
		}
		results = append(results, r...)
	}
	return results, nil
}

// audience are the far ends of conferences on sockets.
type audience struct {
	conn    *net.UDPConn // all send from here and hear here
	to      []netip.AddrPort
	speaker *speaker
	heard   int
}

func hold(name string, sizes []int, o conference.Options) (_ []bench.Result, err error) {
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
	for i, size := range sizes {
		c, err := b.Open(fmt.Sprint(i), o)
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
	used, late := a.attend(engine.Clock())
	for _, s := range sessions {
		s.Close()
	}
	all := float64(liveFor / clock.Frame)
	mixed := max(1, all-float64(late))
	return []bench.Result{
		{Name: name + ".missed_frames", Value: float64(late), Unit: "frames", Limit: 0.5},
		{Name: name + ".cores", Value: used.Seconds() / (mixed * clock.Frame.Seconds()), Unit: "cores", Lost: max(0, 1-float64(a.heard)/all/float64(len(a.to)))},
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

// attend sends and hears until the time is over, and tells the CPU time that went
// by and how many frames the clock left out.
func (a *audience) attend(c *clock.Clock) (used time.Duration, late uint64) {
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
	from, before := cpu(), c.Late()
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
	used, late = cpu()-from, c.Late()-before
	a.conn.Close()
	listening.Wait()
	return used, late
}
