package xdp

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"mcp/bpf"
	"mcp/control/media"
)

// leg implements media.PlaneLeg. The kernel takes a leg's whole configuration
// at once, which is changed in parts here.
type leg struct {
	plane    *Plane
	kernel   *bpf.Leg
	receiver media.Receiver

	configuring sync.Mutex // held from when the configuration is read until it is changed
}

var _ media.PlaneLeg = (*leg)(nil)

// Connect sets what is known of the far end.
func (l *leg) Connect(f media.FarEnd) error {
	if f.Secure != nil {
		return fmt.Errorf("connect leg %s: %w", l.kernel.Local(), media.ErrInsecure)
	}
	if f.RTP.IsValid() && f.ClockRate <= 0 {
		return fmt.Errorf("connect leg %s: no clock rate", l.kernel.Local())
	}
	l.configuring.Lock()
	defer l.configuring.Unlock()
	c := l.kernel.Config()
	c.Far = farEnd(f)
	c.ClockRate = uint32(f.ClockRate)
	c.FrameTicks = uint32(f.Ptime * time.Duration(f.ClockRate) / time.Second)
	c.AudioType, c.EventType = f.PayloadType, bpf.NoType
	if f.Events >= 0 {
		c.EventType = uint8(f.Events)
	}
	c.NoiseType = f.Noise
	c.MaySend, c.MayReceive = f.Send, f.Receive
	return l.kernel.Configure(c)
}

func farEnd(f media.FarEnd) bpf.FarEnd {
	k := bpf.FarEnd{RTP: f.RTP, RTCP: f.RTCP, Latch: f.Latch, LatchFrom: f.LatchFrom, DSCP: f.DSCP, MaxRate: f.MaxRate()}
	if f.RTP.IsValid() && !f.RTCP.IsValid() {
		k.RTCP = netip.AddrPortFrom(f.RTP.Addr(), f.RTP.Port()+1)
	}
	return k
}

// Route sets where arriving audio goes.
func (l *leg) Route(r media.Route) error {
	var relayTo *bpf.Leg
	if r.To != nil {
		to, ok := r.To.(*leg)
		if !ok || to.plane != l.plane {
			return fmt.Errorf("route leg %s: the other leg is of another plane", l.kernel.Local())
		}
		relayTo = to.kernel
	}
	l.configuring.Lock()
	defer l.configuring.Unlock()
	c := l.kernel.Config()
	c.RelayTo, c.Copy = relayTo, r.Copy
	return l.kernel.Configure(c)
}

// Send sends one packet as the next of the leg's stream.
func (l *leg) Send(p media.Payload) error {
	return unsent(l.kernel.Send(bpf.Packet{
		PayloadType: p.PayloadType, Marker: p.Marker, Ticks: p.Samples, Data: p.Data,
	}))
}

// SendRTCP sends a ready RTCP packet.
func (l *leg) SendRTCP(packet []byte) error {
	return unsent(l.kernel.SendRTCP(packet))
}

// unsent marks the refusals that those who send tell apart.
func unsent(err error) error {
	if dropped, ok := errors.AsType[*bpf.DropError](err); ok && dropped.Reason == "unlatched" {
		return fmt.Errorf("%w: %w", media.ErrUnlatched, err)
	}
	return err
}

// Stats reads the kernel's counters.
func (l *leg) Stats() (media.LegStats, error) {
	s, err := l.kernel.Stats()
	return statsOf(s), err
}

// Close ends the leg and tells what it carried. The kernel ends it in one step; what
// is said last needs it no more.
func (l *leg) Close(last func(media.LegStats)) (media.LegStats, error) {
	open := l.plane.forget(l.kernel.ID())
	final, err := l.kernel.Close()
	s := statsOf(final)
	if open && err == nil && last != nil {
		last(s)
	}
	return s, err
}

func statsOf(s bpf.LegStats) media.LegStats {
	return media.LegStats{
		RxPackets: s.RxPackets, RxBytes: s.RxBytes,
		RxRelayed: s.RxRelayed, RxUser: s.RxUser,
		RxLost: s.RxLost, RxJitter: s.RxJitter, RxAt: s.Source.At,
		TxPackets: s.TxPackets, TxBytes: s.TxBytes, TxRelayed: s.TxRelayed,
		RTCP: s.RTCP, Dropped: s.Dropped,
		Source: sourceOf(s.Source), Tx: media.Place(s.Tx),
	}
}

func sourceOf(s bpf.Source) media.Source {
	return media.Source{SSRC: s.SSRC, Highest: s.Highest, Lost: s.Lost, Jitter: s.Jitter}
}
