package srtp

import (
	"errors"
	"net/netip"
	"time"

	"github.com/pion/dtls/v3"
)

// Why DTLS makes no keys.
var (
	ErrFingerprint = errors.New("certificate is not the one whose fingerprint was signalled")
	ErrHandshake   = errors.New("no DTLS handshake in time")
)

// maxPrints is how many fingerprints of a far end are kept: one for each hash, and
// some to spare.
const maxPrints = 4

// Handshake is how DTLS is to make keys with a far end (RFC 5763). Handshakes are
// compared, as agreements are; the zero value is none.
type Handshake struct {
	Identity *Identity
	Active   bool                   // we begin (RFC 4145)
	Peer     [maxPrints]Fingerprint // of its certificate; one has to fit
	Profiles [8]Profile             // by preference
	Limit    time.Duration          // for the handshake
	Turn     int                    // another number asks for another association
}

// matches tells whether a certificate is the far end's.
func (h Handshake) matches(der []byte) bool {
	for _, want := range h.Peer {
		if want == (Fingerprint{}) {
			continue
		}
		if got, err := fingerprint(want.Hash, der); err == nil && got == want {
			return true
		}
	}
	return false
}

// numbers are the profiles' that DTLS knows.
func (h Handshake) numbers() (all []dtls.SRTPProtectionProfile) {
	for _, p := range h.Profiles {
		if n, known := numbers[p]; known && p.overDTLS() {
			all = append(all, dtls.SRTPProtectionProfile(n))
		}
	}
	return all
}

// Wire is how a Guard reaches the far end for a handshake, and whom it tells of it.
type Wire struct {
	// Send sends one packet.
	Send func(p []byte, to netip.AddrPort) error
	// Far is where signalling said the far end is.
	Far func() netip.AddrPort
	// Keyed is told once a handshake has ended: with the profile, or why there are
	// no keys. It must not block.
	Keyed func(Profile, error)
}

// IsDTLS tells DTLS on a shared port by the first octet (RFC 7983 section 7).
func IsDTLS(p []byte) bool { return len(p) > 0 && p[0] >= 20 && p[0] <= 63 }
