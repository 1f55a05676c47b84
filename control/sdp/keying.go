package sdp

import (
	"errors"
	"fmt"
	"strings"
)

// ErrKeying says that two sides do not agree on how audio is protected.
var ErrKeying = errors.New("no agreement on SRTP")

// Keying is how a description has its stream's keys agreed: in the description
// itself (RFC 4568), by DTLS (RFC 5763), or, where it has neither, not at all.
type Keying struct {
	// Transport is the m= line's: RTP/SAVP and the like demand protection, RTP/AVP
	// with keys would like it (RFC 8643). Of an offer of ours; an answer repeats
	// that of the offer. Empty: RTP/AVP.
	Transport string
	Crypto    []Crypto // by preference
	DTLS
}

// Demanded tells whether the transport is one of SRTP.
func (k Keying) Demanded() bool { return strings.Contains(k.Transport, "RTP/SAVP") }

// Offered tells whether there is any way to agree on keys.
func (k Keying) Offered() bool { return len(k.Crypto) > 0 || len(k.Fingerprints) > 0 }

// transports are those our media speaks.
var transports = map[string]bool{
	"RTP/AVP": true, "RTP/AVPF": true, "RTP/SAVP": true, "RTP/SAVPF": true,
	"UDP/TLS/RTP/SAVP": true, "UDP/TLS/RTP/SAVPF": true,
}

// keyingOf reads what a description of one stream says of its keys.
func keyingOf(session, stream section, transport string) Keying {
	k := Keying{Transport: transport, DTLS: dtlsOf(session, stream)}
	for name, value := range stream.attributes {
		if name == "crypto" {
			k.Crypto = append(k.Crypto, parseCrypto(value))
		}
	}
	return k
}

// write adds the attributes to a stream's.
func (k Keying) write(t *draft) {
	for _, c := range k.Crypto {
		t.attribute("crypto", c.text())
	}
	k.DTLS.write(t)
}

// Prefer makes the first audio stream that is liked the one which counts, where a
// description has several. It tells whether there is one.
func (s *Session) Prefer(liked func(*Audio) bool) bool {
	for _, c := range s.usable {
		if liked(c.audio) {
			s.Audio, s.chosen = c.audio, c.at
			return true
		}
	}
	return false
}

// candidate is an audio stream that could be used.
type candidate struct {
	audio *Audio
	at    int // index in media
}

// settle has the first stream count that is not protected, or else the first.
func (s *Session) settle() {
	plain := func(a *Audio) bool { return !a.Keying.Demanded() }
	_ = s.Prefer(plain) || s.Prefer(func(*Audio) bool { return true })
}

// checkKeys refuses to answer an offer of protection in the clear.
func checkKeys(theirs *Audio, ours Local) error {
	if theirs.Keying.Demanded() && !ours.Keying.Offered() {
		return fmt.Errorf("%w: %s", ErrKeying, theirs.Keying.Transport)
	}
	return nil
}
