package secure

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"mcp/control/media/srtp"
	"mcp/control/sdp"
)

const (
	key30 = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj"
	other = "a=crypto:2 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz"
	line  = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + key30
	clear = line + " UNENCRYPTED_SRTP"
	f8    = "a=crypto:1 F8_128_HMAC_SHA1_80 inline:" + key30
	short = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0Rm"
)

func described(t *testing.T, transport string, attributes ...string) *sdp.Session {
	t.Helper()
	lines := []string{"v=0", "o=- 1 1 IN IP4 1.2.3.4", "s=-", "c=IN IP4 1.2.3.4", "t=0 0", "m=audio 5000 " + transport + " 0"}
	s, err := sdp.Parse([]byte(strings.Join(append(lines, attributes...), "\r\n") + "\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func policy(m Mode) Policy { return Policy{Mode: m, Profiles: srtp.Profiles(), SDES: true} }

func TestAnswers(t *testing.T) {
	for _, tc := range []struct {
		name       string
		policy     Policy
		open       bool // signalling is not encrypted
		transport  string
		attributes []string
		tag        int // of the line taken; 0: none
		refused    bool
	}{
		{name: "off, clear", transport: "RTP/AVP"},
		{name: "off, protected", transport: "RTP/SAVP", attributes: []string{line}, refused: true},
		{name: "off, wished for", transport: "RTP/AVP", attributes: []string{line}},
		{name: "optional, clear", policy: policy(Optional), transport: "RTP/AVP"},
		{name: "optional, protected", policy: policy(Optional), transport: "RTP/SAVP", attributes: []string{line}, tag: 1},
		{name: "optional, with feedback", policy: policy(Optional), transport: "RTP/SAVPF", attributes: []string{line}, tag: 1},
		{name: "optional, wished for", policy: policy(Optional), transport: "RTP/AVP", attributes: []string{line}, tag: 1},
		{name: "optional, wished for in vain", policy: policy(Optional), transport: "RTP/AVP", attributes: []string{f8}},
		{name: "optional, without keys", policy: policy(Optional), transport: "RTP/SAVP", refused: true},
		{name: "required, clear", policy: policy(Required), transport: "RTP/AVP", refused: true},
		{name: "required, wished for", policy: policy(Required), transport: "RTP/AVPF", attributes: []string{line}, tag: 1},
		{name: "required, protected", policy: policy(Required), transport: "RTP/SAVP", attributes: []string{line}, tag: 1},
		{name: "over a suite that is unknown", policy: policy(Required), transport: "RTP/SAVP", attributes: []string{f8, other}, tag: 2},
		{name: "over a line that is not encrypted", policy: policy(Required), transport: "RTP/SAVP", attributes: []string{clear, other}, tag: 2},
		{name: "over a short key", policy: policy(Required), transport: "RTP/SAVP", attributes: []string{short, other}, tag: 2},
		{name: "nothing usable", policy: policy(Required), transport: "RTP/SAVP", attributes: []string{clear, f8, short}, refused: true},
		{name: "another suite configured", policy: Policy{Mode: Required, SDES: true, Profiles: []srtp.Profile{srtp.GCM128}},
			transport: "RTP/SAVP", attributes: []string{line}, refused: true},
		{name: "no SDES configured", policy: Policy{Mode: Required, Profiles: srtp.Profiles()}, transport: "RTP/SAVP", attributes: []string{line}, refused: true},
		{name: "open signalling", open: true, policy: policy(Required), transport: "RTP/SAVP", attributes: []string{line}, refused: true},
		{name: "open signalling, wished for", open: true, policy: policy(Optional), transport: "RTP/AVP", attributes: []string{line}},
		{name: "open signalling that may have keys", open: true, policy: Policy{Mode: Required, SDES: true, Clear: true, Profiles: srtp.Profiles()},
			transport: "RTP/SAVP", attributes: []string{line}, tag: 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := Side{Policy: tc.policy, Confidential: !tc.open}
			choice, err := s.Answer(described(t, tc.transport, tc.attributes...))
			if errors.Is(err, ErrRefused) != tc.refused || err != nil && !tc.refused {
				t.Fatal(err)
			}
			if err != nil && (strings.Contains(err.Error(), key30[:6]) || strings.Contains(err.Error(), "\n")) {
				t.Errorf("%q", err)
			}
			if (choice.Agreement != nil) != (tc.tag > 0) {
				t.Fatalf("%+v", choice)
			}
			if tc.tag > 0 && (len(choice.Keying.Crypto) != 1 || choice.Keying.Crypto[0].Tag != tc.tag || choice.Agreement.Send == choice.Agreement.Receive) {
				t.Errorf("%+v", choice.Keying)
			}
		})
	}
}

// Where a stream is offered both ways, a call that may be protected is.
func TestAlternatives(t *testing.T) {
	for mode, secure := range map[Mode]bool{Off: false, Optional: true, Required: true} {
		offer := described(t, "RTP/AVP", "m=audio 5002 RTP/SAVP 0", line)
		s := Side{Policy: policy(mode), Confidential: true}
		choice, err := s.Answer(offer)
		if err != nil || (choice.Agreement != nil) != secure || offer.Audio.Keying.Demanded() != secure {
			t.Errorf("%s: %v, %v", mode, choice.Agreement, err)
		}
	}
}

// TestKeysStay has an offer that repeats its key keep ours, and one with another
// get another.
func TestKeysStay(t *testing.T) {
	s := Side{Policy: policy(Optional), Confidential: true}
	answer := func(attributes ...string) srtp.Agreement {
		choice, err := s.Answer(described(t, "RTP/SAVP", attributes...))
		if err != nil {
			t.Fatal(err)
		}
		s.Settle(choice)
		return *choice.Agreement
	}
	first := answer(line)
	if again := answer(line); again != first {
		t.Error("the same offer is answered with another key")
	}
	if _, err := s.Answer(described(t, "RTP/SAVP", clear)); err == nil || *s.Agreed() != first {
		t.Error("an offer that was refused has changed something")
	}
	if next := answer(other); next.Send == first.Send || next.Receive == first.Receive {
		t.Error("another key is answered with the same")
	}
	keying, err := s.Offer()
	if err != nil || len(keying.Crypto) != 1 || keying.Crypto[0].Tag != 2 || !keying.Demanded() {
		t.Errorf("the offer within a protected call: %+v, %v", keying, err)
	}
}

// TestOffersAreAnswered has both sides come to the same keys.
func TestOffersAreAnswered(t *testing.T) {
	local := sdp.Local{Addr: netip.MustParseAddrPort("192.0.2.1:20000"), SessionID: 1, Version: 1}
	for _, tc := range []struct {
		ours, theirs Mode
		protected    bool
		refused      bool
	}{
		{ours: Required, theirs: Required, protected: true},
		{ours: Optional, theirs: Optional, protected: true},
		{ours: Optional, theirs: Off},
		{ours: Required, theirs: Off, refused: true},
		{ours: Off, theirs: Optional},
	} {
		us, them := Side{Policy: policy(tc.ours), Confidential: true}, Side{Policy: policy(tc.theirs), Confidential: true}
		keying, err := us.Offer()
		if err != nil {
			t.Fatal(err)
		}
		l := local
		l.Keying = keying
		offer, err := sdp.Parse(sdp.Offer(l))
		if err != nil {
			t.Fatal(err)
		}
		choice, err := them.Answer(offer)
		if errors.Is(err, ErrRefused) != tc.refused {
			t.Fatalf("%+v: %v", tc, err)
		}
		if err != nil {
			continue
		}
		l.Keying = choice.Keying
		text, _, err := sdp.Answer(offer, l)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := sdp.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		taken, err := us.Take(answer)
		if err != nil || (taken.Agreement != nil) != tc.protected {
			t.Fatalf("%+v: %+v, %v", tc, taken, err)
		}
		if tc.protected && (taken.Agreement.Send != choice.Agreement.Receive || taken.Agreement.Receive != choice.Agreement.Send) {
			t.Errorf("%+v: the two differ", tc)
		}
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	for name, tc := range map[string]struct {
		mode       Mode
		transport  string
		attributes []string
	}{
		"clear where protection is required": {Required, "RTP/AVP", nil},
		"a line that was not offered":        {Optional, "RTP/SAVP", []string{strings.Replace(line, ":1 ", ":99 ", 1)}},
		"another suite under the same tag":   {Optional, "RTP/SAVP", []string{strings.Replace(other, "80", "32", 1) + "|1"}},
		"keys that were not asked for":       {Off, "RTP/AVP", []string{line}},
		"no key":                             {Optional, "RTP/SAVP", nil},
	} {
		s := Side{Policy: policy(tc.mode), Confidential: true}
		if tc.mode != Off {
			s.Policy.Profiles = []srtp.Profile{srtp.AES128SHA80}
		}
		if _, err := s.Offer(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Take(described(t, tc.transport, tc.attributes...)); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	open := Side{Policy: policy(Required)}
	if _, err := open.Offer(); !errors.Is(err, ErrRefused) {
		t.Errorf("over open signalling: %v", err)
	}
}
