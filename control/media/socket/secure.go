package socket

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"mcp/control/media"
	"mcp/control/media/rtpstream"
	"mcp/control/media/srtp"
)

// Reasons for refusing a packet of a leg that is protected.
const (
	forged   rtpstream.Refusal = "srtp_tag"     // its tag is wrong: it is not the far end's, or in the clear
	replayed rtpstream.Refusal = "srtp_replay"  // it came before, or is too old
	spent    rtpstream.Refusal = "srtp_key"     // its key has been used for too long, or by too many sources
	unkeyed  rtpstream.Refusal = "srtp_pending" // there are no keys yet
)

// protect takes what was agreed on protection: nothing, keys, or how to make them.
// It waits for a handshake that it ends, which may be sending: without locks.
func (l *leg) protect(a *srtp.Agreement) error {
	g := l.guard.Load()
	if a == nil {
		if g != nil {
			l.guard.Store(nil)
			g.Close()
		}
		return nil
	}
	if g == nil {
		g = srtp.NewGuard(srtp.Wire{Send: l.shake, Keyed: l.keyed})
		l.guard.Store(g)
	}
	return g.Agree(*a)
}

// shake sends a packet of a handshake: to where one came from last, or else to
// where signalling said.
func (l *leg) shake(p []byte) error {
	to := l.shaking.Load()
	if to == nil {
		l.mu.Lock()
		far := l.far.RTP
		l.mu.Unlock()
		to = &far
	}
	_, err := l.rtp.WriteToUDPAddrPort(p, *to)
	return err
}

// keyed tells the receiver how a handshake has ended.
func (l *leg) keyed(p srtp.Profile, err error) {
	if r, ok := l.receiver.(media.Keyed); ok {
		r.Keyed(p, err)
	}
}

// handshake takes a packet of DTLS, if it comes from where the far end may be.
func (l *leg) handshake(p []byte, from netip.AddrPort, now time.Time) {
	g := l.guard.Load()
	l.mu.Lock()
	why := l.gate.Plausible(from, now)
	l.mu.Unlock()
	switch {
	case g == nil:
		l.drop(notRTP)
	case why != "":
		l.drop(why)
	default:
		if to := l.shaking.Load(); to == nil || *to != from {
			l.shaking.Store(&from)
		}
		g.DTLS(p)
	}
}

// open takes the protection off a packet. Only what comes from where the far end
// may be is worth the effort, and nothing is learned of one that turns out forged.
func (l *leg) open(p []byte, from netip.AddrPort, now time.Time) ([]byte, bool) {
	g := l.guard.Load()
	if g == nil {
		return p, true
	}
	l.mu.Lock()
	why := l.gate.Plausible(from, now)
	l.mu.Unlock()
	if why != "" {
		l.drop(why)
		return nil, false
	}
	unprotect := g.In().RTP
	if rtpstream.IsControl(p) {
		unprotect = g.In().RTCP
	}
	plain, err := unprotect(p)
	if err != nil {
		l.drop(refusalOf(err))
		return nil, false
	}
	return plain, true
}

func refusalOf(err error) rtpstream.Refusal {
	switch {
	case errors.Is(err, srtp.ErrReplayed):
		return replayed
	case errors.Is(err, srtp.ErrExpired), errors.Is(err, srtp.ErrSources):
		return spent
	case errors.Is(err, srtp.ErrKey):
		return unkeyed
	}
	return forged
}

// seal protects a packet that leaves, in its place.
func (l *leg) seal(p []byte) ([]byte, error) {
	g := l.guard.Load()
	if g == nil {
		return p, nil
	}
	out, err := g.Out().RTP(p)
	if errors.Is(err, srtp.ErrKey) {
		return nil, refused{unkeyed}
	}
	return out, err
}

// sealControl protects an RTCP packet that leaves, in a place of its own.
func (l *leg) sealControl(p []byte) ([]byte, error) {
	g := l.guard.Load()
	if g == nil {
		return p, nil
	}
	out, err := g.Out().RTCP(append(make([]byte, 0, len(p)+srtp.Overhead), p...))
	if err != nil {
		return nil, fmt.Errorf("packet not sent: %w", err)
	}
	return out, nil
}
