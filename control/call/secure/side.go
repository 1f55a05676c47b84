package secure

import (
	"errors"
	"fmt"

	"mcp/control/media/srtp"
	"mcp/control/sdp"
)

// Side is our side of a leg's offers and answers. One goroutine at a time uses it.
type Side struct {
	Policy Policy
	// Confidential says that the leg's signalling is encrypted.
	Confidential bool
	// Learning says that where the far end is shows by what it sends (RFC 4961):
	// nothing reaches it before, so that a handshake is for it to begin.
	Learning bool

	agreed  *srtp.Agreement // nil: nothing is protected
	tag     int             // of the line that was agreed on
	id      string          // the far end's of the DTLS association
	offered []offered       // in our latest offer
}

// offered is a line of an offer of ours.
type offered struct {
	tag int
	key srtp.Key
}

// Agreed is what is in force; nil: nothing is protected.
func (s *Side) Agreed() *srtp.Agreement { return s.agreed }

// Choice is what an answer would agree on. It is in force once it is settled; an
// offer that is refused leaves everything as it was.
type Choice struct {
	Keying    sdp.Keying // of our description
	Agreement *srtp.Agreement
	tag       int
	id        string
}

// Settle puts a choice in force.
func (s *Side) Settle(c Choice) { s.agreed, s.tag, s.id = c.Agreement, c.tag, c.id }

// Answer works out how an offer is answered, and has the stream of it count that is
// to be taken. It fails with ErrRefused.
func (s *Side) Answer(offer *sdp.Session) (Choice, error) {
	if offer.Audio == nil {
		return Choice{}, nil // not for us to refuse
	}
	if !s.Policy.liked(offer) {
		return Choice{}, fmt.Errorf("%w: mode is %s, %s is offered", ErrRefused, s.mode(), offer.Audio.Keying.Transport)
	}
	theirs := offer.Audio.Keying
	if s.mode() == Off || !theirs.Offered() && !theirs.Demanded() {
		return Choice{}, nil
	}
	choice, err := s.answerKeys(theirs)
	if err != nil && s.mode() == Optional && !theirs.Demanded() {
		return Choice{}, nil // RFC 8643 section 3.2: it need not be taken
	}
	return choice, err
}

func (s *Side) mode() Mode {
	if s.Policy.Mode == "" {
		return Off
	}
	return s.Policy.Mode
}

// answerKeys takes the one way or the other to agree on keys.
func (s *Side) answerKeys(theirs sdp.Keying) (Choice, error) {
	if s.overDTLS(theirs) {
		return s.answerDTLS(theirs.DTLS)
	}
	return s.answerCrypto(theirs)
}

// answerCrypto takes a line of theirs. Our own key stays as long as theirs does: a
// far end with a new one may be another, which knows nothing of what was sent with
// ours so far (RFC 4568 section 7.1.4).
func (s *Side) answerCrypto(theirs sdp.Keying) (Choice, error) {
	line, receive, err := s.Policy.takes(theirs.Crypto, s.Confidential)
	if err != nil {
		return Choice{}, err
	}
	a := &srtp.Agreement{Receive: receive}
	if s.agreed != nil && s.agreed.Receive == receive {
		a.Send = s.agreed.Send
	} else if a.Send, err = srtp.RandomKey(receive.Profile()); err != nil {
		return Choice{}, err
	}
	own := []sdp.Crypto{lineOf(line.Tag, a.Send)}
	return Choice{Keying: sdp.Keying{Crypto: own}, Agreement: a, tag: line.Tag}, nil
}

func lineOf(tag int, k srtp.Key) sdp.Crypto {
	return sdp.Crypto{Tag: tag, Suite: string(k.Profile()), Secret: k.Secret()}
}

// Offer is what an offer of ours says: the key that is in force, or one for each
// profile.
func (s *Side) Offer() (sdp.Keying, error) {
	s.offered = nil
	crypto := s.Policy.SDES && (s.Confidential || s.Policy.Clear)
	dtls := s.Policy.Identity != nil
	switch {
	case s.mode() == Off:
		return sdp.Keying{}, nil
	case s.agreed != nil:
		crypto, dtls = s.agreed.Handshake.Identity == nil, s.agreed.Handshake.Identity != nil
	case s.mode() == Required && crypto && dtls: // a transport is of one or the other
		crypto, dtls = !s.Policy.First, s.Policy.First
	case s.mode() == Required && !crypto && !dtls:
		return sdp.Keying{}, fmt.Errorf("%w: nothing may be offered over signalling that is not encrypted", ErrRefused)
	}
	k := sdp.Keying{Transport: "RTP/AVP"} // RFC 8643
	if s.mode() == Required || s.agreed != nil {
		k.Transport = "RTP/SAVP"
		if dtls {
			k.Transport = "UDP/TLS/RTP/SAVP"
		}
	}
	if dtls {
		k.DTLS = s.ourDTLS("actpass")
	}
	if crypto {
		return k, s.offerCrypto(&k)
	}
	return k, nil
}

// offerCrypto adds the key that is in force, or one for each profile.
func (s *Side) offerCrypto(k *sdp.Keying) error {
	if s.agreed != nil {
		s.offered = []offered{{s.tag, s.agreed.Send}}
	} else {
		for i, p := range s.Policy.Profiles {
			key, err := srtp.RandomKey(p)
			if err != nil {
				return err
			}
			s.offered = append(s.offered, offered{i + 1, key})
		}
	}
	for _, o := range s.offered {
		k.Crypto = append(k.Crypto, lineOf(o.tag, o.key))
	}
	return nil
}

// Take works out what the answer to our latest offer agrees on. It fails with
// ErrRefused.
func (s *Side) Take(answer *sdp.Session) (Choice, error) {
	if answer.Audio == nil {
		return Choice{}, nil // not for us to refuse
	}
	theirs := answer.Audio.Keying
	if s.mode() != Off && s.overDTLS(theirs) {
		return s.takeDTLS(theirs.DTLS)
	}
	if len(theirs.Crypto) == 0 && !theirs.Demanded() {
		if s.mode() == Required {
			return Choice{}, fmt.Errorf("%w: the answer is in the clear", ErrRefused)
		}
		return Choice{}, nil
	}
	if len(s.offered) == 0 { // in the clear, or DTLS alone
		return Choice{}, fmt.Errorf("%w: the answer has keys, the offer had none", ErrRefused)
	}
	line, receive, err := s.Policy.takes(theirs.Crypto, s.Confidential)
	if err != nil {
		return Choice{}, err
	}
	for _, o := range s.offered {
		if o.tag == line.Tag && o.key.Profile() == receive.Profile() {
			return Choice{Agreement: &srtp.Agreement{Send: o.key, Receive: receive}, tag: line.Tag}, nil
		}
	}
	return Choice{}, errors.Join(ErrRefused, fmt.Errorf("a=crypto:%d of the answer was not offered", line.Tag))
}
