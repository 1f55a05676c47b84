package secure

import (
	"fmt"

	"mcp/control/media/srtp"
	"mcp/control/sdp"
)

// overDTLS tells whether DTLS is to make the keys.
func (s *Side) overDTLS(theirs sdp.Keying) bool {
	switch {
	case s.Policy.Identity == nil || len(theirs.Fingerprints) == 0:
		return false
	case len(theirs.Crypto) == 0 || !s.Policy.SDES:
		return true
	}
	return s.Policy.First
}

func (s *Side) ourDTLS(setup string) sdp.DTLS {
	own := s.Policy.Identity.Fingerprint()
	return sdp.DTLS{Setup: setup, Fingerprints: []sdp.Fingerprint{{Hash: own.Hash, Digest: own.Digest}}}
}

// answerDTLS takes the role that an offer leaves to us. Where it may be either, that
// is the one of the association that there is, or else the active one (RFC 5763
// section 5) if the far end can be reached.
func (s *Side) answerDTLS(theirs sdp.DTLS) (Choice, error) {
	h, err := s.handshake(theirs)
	if err != nil {
		return Choice{}, err
	}
	switch theirs.Setup {
	case "actpass":
		h.Active = !s.Learning
		if s.agreed != nil && s.agreed.Handshake.Identity != nil {
			h.Active = s.agreed.Handshake.Active
		}
	case "passive":
		h.Active = true
	case "active":
	default:
		return Choice{}, fmt.Errorf("%w: DTLS setup %.20q", ErrRefused, theirs.Setup)
	}
	return s.shaking(h, theirs), nil
}

// takeDTLS takes the role that an answer leaves to us.
func (s *Side) takeDTLS(theirs sdp.DTLS) (Choice, error) {
	h, err := s.handshake(theirs)
	if err != nil {
		return Choice{}, err
	}
	switch theirs.Setup {
	case "passive":
		h.Active = true
	case "active":
	default:
		return Choice{}, fmt.Errorf("%w: an answer with DTLS setup %.20q", ErrRefused, theirs.Setup)
	}
	return s.shaking(h, theirs), nil
}

// shaking has the association that there is go on, unless the far end's
// certificate, role or identifier is another (RFC 8842 section 3.1).
func (s *Side) shaking(h srtp.Handshake, theirs sdp.DTLS) Choice {
	setup := "passive"
	if h.Active {
		setup = "active"
	}
	c := Choice{Keying: sdp.Keying{DTLS: s.ourDTLS(setup)}, Agreement: &srtp.Agreement{Handshake: h}, id: theirs.ID}
	if s.agreed != nil {
		turn := s.agreed.Handshake.Turn
		if theirs.ID != s.id {
			turn++
		}
		c.Agreement.Handshake.Turn = turn
	}
	return c
}

// handshake is with whom, and for what.
func (s *Side) handshake(theirs sdp.DTLS) (srtp.Handshake, error) {
	h := srtp.Handshake{Identity: s.Policy.Identity, Limit: s.Policy.Limit}
	if len(theirs.Fingerprints) > len(h.Peer) {
		return h, fmt.Errorf("%w: %d fingerprints", ErrRefused, len(theirs.Fingerprints))
	}
	for i, f := range theirs.Fingerprints {
		h.Peer[i] = srtp.Fingerprint{Hash: f.Hash, Digest: f.Digest}
	}
	copy(h.Profiles[:], s.Policy.Profiles)
	return h, nil
}
