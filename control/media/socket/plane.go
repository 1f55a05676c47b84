// Package socket is the media plane on plain UDP sockets: two for each leg, all
// work in Go. It behaves as the kernel's plane does and runs anywhere.
package socket

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"syscall"

	"mcp/control/media"
	"mcp/control/media/rtpstream"
)

// Plane implements media.Plane.
type Plane struct {
	reason string
	log    *slog.Logger

	mu     sync.Mutex
	next   uint64
	legs   map[uint64]*leg
	closed bool
}

var _ media.Plane = (*Plane)(nil)

// New makes a plane; reason says why it is this one that runs.
func New(reason string, log *slog.Logger) *Plane {
	return &Plane{reason: reason, log: log, legs: map[uint64]*leg{}}
}

// Mode implements media.Plane.
func (p *Plane) Mode() string { return "socket" }

// Reason implements media.Plane.
func (p *Plane) Reason() string { return p.reason }

// maxFirst is the highest sequence number that a stream begins with: receivers of
// SRTP mistake its turn when the first packets of a higher one are lost (RFC 4568
// section 6.4).
const maxFirst = 1<<15 - 1

// Open binds the leg's two ports and begins to read them.
func (p *Plane) Open(c media.LegConfig) (media.PlaneLeg, error) {
	if a := c.Local; !a.Addr().IsValid() || a.Addr().IsUnspecified() || a.Port() == 0 || a.Port()%2 != 0 {
		return nil, fmt.Errorf("open leg: %s is not an address with an even port", a)
	}
	rtp, err := bind(c.Local)
	if err != nil {
		return nil, err
	}
	rtcp, err := bind(netip.AddrPortFrom(c.Local.Addr(), c.Local.Port()+1))
	if err != nil {
		return nil, errors.Join(err, rtp.Close())
	}
	l := &leg{plane: p, sockets: sockets{rtp, rtcp}, receiver: c.Receiver}
	l.stats.Dropped = map[string]uint64{}
	l.out.conn, l.out.ssrc = rtp, c.SSRC
	l.out.egress = egressAfter(c.After)
	if err := p.add(l); err != nil {
		return nil, errors.Join(err, rtp.Close(), rtcp.Close())
	}
	l.readers.Go(func() { l.read(rtp, l.media) })
	l.readers.Go(func() { l.read(rtcp, l.reports) })
	return l, nil
}

// egressAfter begins a stream, or goes on with one.
func egressAfter(p *media.Place) rtpstream.Egress {
	if p == nil {
		return rtpstream.NewEgress(uint16(rand.Uint32())&maxFirst, rand.Uint32())
	}
	return rtpstream.ResumeEgress(rtpstream.Stamp{Sequence: p.Sequence, Timestamp: p.Timestamp}, p.At)
}

func bind(at netip.AddrPort) (*net.UDPConn, error) {
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%w: %w", media.ErrPortTaken, err)
	}
	return conn, err
}

func (p *Plane) add(l *leg) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return errors.New("media plane is closed")
	}
	p.next++
	l.id = p.next
	p.legs[l.id] = l
	return nil
}

func (p *Plane) forget(l *leg) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.legs, l.id)
}

// Close closes what legs remain.
func (p *Plane) Close() error {
	p.mu.Lock()
	p.closed = true
	legs := make([]*leg, 0, len(p.legs))
	for _, l := range p.legs {
		legs = append(legs, l)
	}
	p.mu.Unlock()
	var errs []error
	for _, l := range legs {
		_, err := l.Close(nil)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
