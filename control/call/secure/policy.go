// Package secure negotiates SRTP by offer and answer: what a leg accepts of what the
// far end offers, what is offered to the far end, and what the two have agreed on in the
// end. All is computed from its arguments, except for keys, which are random. Keys
// are never part of an error or a log line.
package secure

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"mcp/control/media/srtp"
	"mcp/control/sdp"
)

// Mode is whether calls are to be protected.
type Mode string

// The modes. Optional takes what the other side wants, and offers protection that
// need not be taken (RFC 8643).
const (
	Off      Mode = "off"
	Optional Mode = "optional"
	Required Mode = "required"
)

// Policy is what an operator decides. The zero value is Off.
type Policy struct {
	Mode     Mode
	Profiles []srtp.Profile // taken and offered, by preference
	SDES     bool           // keys in the session description (RFC 4568)
	// Identity is what DTLS makes keys with (RFC 5763); nil: it does not. First says
	// that DTLS is preferred where a far end has both.
	Identity *srtp.Identity
	First    bool
	Limit    time.Duration // for a handshake
	// Clear lets keys travel in signalling that is not encrypted, too.
	Clear bool
}

// ErrRefused says that an offer or answer is not acceptable for how it is, or is
// not, protected.
var ErrRefused = errors.New("protection of the audio is not acceptable")

// liked chooses among the audio streams of an offer: for a call that is to be
// protected one that is, otherwise one that is not.
func (p Policy) liked(offer *sdp.Session) bool {
	protected := func(a *sdp.Audio) bool { return a.Keying.Demanded() || a.Keying.Offered() }
	plain := func(a *sdp.Audio) bool { return !a.Keying.Demanded() }
	switch p.Mode {
	case Required:
		return offer.Prefer(protected)
	case Optional:
		return offer.Prefer(protected) || offer.Prefer(plain)
	}
	return offer.Prefer(plain)
}

// takes chooses a line of theirs whose key can be used.
func (p Policy) takes(theirs []sdp.Crypto, confidential bool) (sdp.Crypto, srtp.Key, error) {
	if !p.SDES {
		return sdp.Crypto{}, srtp.Key{}, fmt.Errorf("%w: keys in session descriptions are not configured", ErrRefused)
	}
	if !confidential && !p.Clear {
		return sdp.Crypto{}, srtp.Key{}, fmt.Errorf("%w: keys came over signalling that is not encrypted", ErrRefused)
	}
	var why error
	for _, line := range theirs {
		profile := srtp.Profile(line.Suite)
		switch {
		case line.Err != nil:
			why = line.Err
		case !slices.Contains(p.Profiles, profile):
			why = fmt.Errorf("suite %.40q is not configured", line.Suite)
		default:
			key, err := srtp.NewKey(profile, line.Secret, srtp.KeyOptions{MKI: line.MKI, Lifetime: line.Lifetime})
			if err == nil {
				return line, key, nil
			}
			why = err
		}
	}
	return sdp.Crypto{}, srtp.Key{}, fmt.Errorf("%w: no usable key is offered: %w", ErrRefused, why)
}
