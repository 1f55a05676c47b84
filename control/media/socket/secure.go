package socket

import (
	"bytes"
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
		g = srtp.NewGuard(srtp.Wire{Send: l.shake, Far: l.signalled, Keyed: l.keyed})
		l.guard.Store(g)
	}
	err := g.Agree(*a)
	l.takeEarly()
	return err
}

// shake sends a packet of a handshake.
func (l *leg) shake(p []byte, to netip.AddrPort) error {
	_, err := l.rtp.WriteToUDPAddrPort(p, to)
	return err
}

// signalled is where signalling said the far end is.
func (l *leg) signalled() netip.AddrPort {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.far.RTP
}

// maxEarly bounds the packets that are kept of handshakes which began too early.
const maxEarly = 4

// early is a packet of a handshake from before it was known with whom.
type early struct {
	packet []byte
	from   netip.AddrPort
}

// keepEarly keeps a packet of a far end that begins before its answer to our offer
// has come (RFC 5763 section 5).
func (l *leg) keepEarly(p []byte, from netip.AddrPort) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.far.RTP.IsValid() || len(p) > maxPacket || len(l.early) >= maxEarly {
		return false
	}
	l.early = append(l.early, early{bytes.Clone(p), from})
	return true
}

// takeEarly takes what was kept.
func (l *leg) takeEarly() {
	l.mu.Lock()
	kept := l.early
	l.early = nil
	l.mu.Unlock()
	for _, e := range kept {
		l.handshake(e.packet, e.from, time.Now())
	}
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
	case g == nil && l.keepEarly(p, from):
	case g == nil:
		l.drop(notRTP)
	case why != "":
		l.drop(why)
	default:
		g.DTLS(p, from)
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
