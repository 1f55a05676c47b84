package socket

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

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

// protect takes what was agreed on protection: nothing, keys, or other keys.
func (l *leg) protect(a *srtp.Agreement) error {
	g := l.guard.Load()
	switch {
	case a == nil:
		l.guard.Store(nil)
		return nil
	case g != nil:
		return g.Agree(*a)
	}
	g, err := srtp.NewGuard(*a)
	if err != nil {
		return err
	}
	l.guard.Store(g)
	return nil
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
