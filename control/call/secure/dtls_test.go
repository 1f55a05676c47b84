package secure

import (
	"errors"
	"testing"

	"mcp/control/media/srtp"
)

const (
	print256 = "a=fingerprint:sha-256 " +
		"00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:10:11:12:13:14:15:16:17:18:19:1A:1B:1C:1D:1E:1F"
	actpass = "a=setup:actpass"
	active  = "a=setup:active"
	passive = "a=setup:passive"
)

// shaker is a side that has an identity for DTLS.
func shaker(t *testing.T, m Mode, sdes, first bool) *Side {
	t.Helper()
	own, err := srtp.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	return &Side{Confidential: true, Policy: Policy{Mode: m, Profiles: srtp.Profiles(), Identity: own, SDES: sdes, First: first}}
}

func TestDTLSAnswers(t *testing.T) {
	const savp, plain = "UDP/TLS/RTP/SAVP", "RTP/AVP"
	for _, tc := range []struct {
		name       string
		mode       Mode
		sdes       bool
		first      bool
		transport  string
		attributes []string
		learning   bool
		setup      string // of the answer; empty: no DTLS
		refused    bool
	}{
		{name: "either role", mode: Required, transport: savp, attributes: []string{print256, actpass}, setup: "active"},
		{name: "either role, where it cannot be reached", mode: Required, transport: savp, learning: true,
			attributes: []string{print256, actpass}, setup: "passive"},
		{name: "they begin", mode: Required, transport: savp, attributes: []string{print256, active}, setup: "passive"},
		{name: "we begin", mode: Required, transport: savp, attributes: []string{print256, passive}, setup: "active"},
		{name: "held", mode: Required, transport: savp, attributes: []string{print256, "a=setup:holdconn"}, refused: true},
		{name: "no fingerprint", mode: Required, transport: savp, attributes: []string{actpass}, refused: true},
		{name: "wished for", mode: Optional, transport: plain, attributes: []string{print256, actpass}, setup: "active"},
		{name: "wished for in vain", mode: Optional, transport: plain, attributes: []string{print256, "a=setup:holdconn"}},
		{name: "off", mode: Off, transport: savp, attributes: []string{print256, actpass}, refused: true},
		{name: "keys too, DTLS preferred", mode: Optional, sdes: true, first: true, transport: plain,
			attributes: []string{print256, actpass, line}, setup: "active"},
		{name: "keys too, keys preferred", mode: Optional, sdes: true, transport: plain, attributes: []string{print256, actpass, line}},
		{name: "keys too, which are not configured", mode: Optional, transport: plain,
			attributes: []string{print256, actpass, line}, setup: "active"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := shaker(t, tc.mode, tc.sdes, tc.first)
			s.Learning = tc.learning
			choice, err := s.Answer(described(t, tc.transport, tc.attributes...))
			if errors.Is(err, ErrRefused) != tc.refused || err != nil && !tc.refused {
				t.Fatal(err)
			}
			if got := choice.Keying.DTLS.Setup; got != tc.setup {
				t.Fatalf("it answers %q", got)
			}
			if tc.setup == "" {
				return
			}
			h, own := choice.Agreement.Handshake, s.Policy.Identity.Fingerprint()
			if h.Active != (tc.setup == "active") || h.Identity != s.Policy.Identity || h.Peer[0].Hash != "sha-256" {
				t.Errorf("%+v", h)
			}
			if f := choice.Keying.DTLS.Fingerprints; len(f) != 1 || f[0].Digest != own.Digest || len(choice.Keying.Crypto) != 0 {
				t.Errorf("%+v", choice.Keying)
			}
		})
	}
}

// TestDTLSAnswersTaken has an answer to our offer leave us the other role.
func TestDTLSAnswersTaken(t *testing.T) {
	for _, tc := range []struct {
		name, setup string
		active      bool
		refused     bool
	}{
		{name: "they begin", setup: active},
		{name: "we begin", setup: passive, active: true},
		{name: "neither", setup: actpass, refused: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := shaker(t, Required, false, false)
			if k, err := s.Offer(); err != nil || k.DTLS.Setup != "actpass" || k.Transport != "UDP/TLS/RTP/SAVP" {
				t.Fatalf("the offer: %+v, %v", k, err)
			}
			choice, err := s.Take(described(t, "UDP/TLS/RTP/SAVP", print256, tc.setup))
			if errors.Is(err, ErrRefused) != tc.refused || err != nil && !tc.refused {
				t.Fatal(err)
			}
			if err == nil && choice.Agreement.Handshake.Active != tc.active {
				t.Errorf("%+v", choice.Agreement.Handshake)
			}
		})
	}
}

// TestAssociationStays has an offer that repeats itself go on with the association
// and role that there are, and one with another identifier begin anew (RFC 8842
// section 3.1).
func TestAssociationStays(t *testing.T) {
	s := shaker(t, Required, false, false)
	answer := func(attributes ...string) srtp.Handshake {
		choice, err := s.Answer(described(t, "UDP/TLS/RTP/SAVP", append(attributes, print256)...))
		if err != nil {
			t.Fatal(err)
		}
		s.Settle(choice)
		return choice.Agreement.Handshake
	}
	const id, other = "a=tls-id:abc3de65cddef001be82", "a=tls-id:abc3de65cddef001be83"
	first := answer(active, id)
	if again := answer(actpass, id); again != first {
		t.Errorf("%+v follows %+v", again, first)
	}
	if next := answer(actpass, other); next.Turn == first.Turn || next.Active {
		t.Errorf("another association: %+v follows %+v", next, first)
	}
}
