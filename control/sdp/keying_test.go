package sdp

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

const (
	key30 = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj" // of RFC 4568 section 9.1
	print = "sha-256 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB:4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF"
)

// secured is an offer over a transport, with attributes.
func secured(transport string, attributes ...string) []byte {
	lines := []string{"v=0", "o=- 1 1 IN IP4 1.2.3.4", "s=-", "c=IN IP4 1.2.3.4", "t=0 0", "m=audio 5000 " + transport + " 0"}
	return text(append(lines, attributes...)...)
}

func TestCryptoLines(t *testing.T) {
	inline := "1 AES_CM_128_HMAC_SHA1_80 inline:" + key30
	for _, tc := range []struct {
		name, value string
		lifetime    uint64
		mki         []byte
		refused     bool
	}{
		{name: "plain", value: inline},
		{name: "lifetime as a power", value: inline + "|2^20", lifetime: 1 << 20},
		{name: "lifetime as a number", value: inline + "|1066", lifetime: 1066},
		{name: "the longest", value: inline + "|2^48", lifetime: 1 << 48},
		{name: "of RFC 4568", value: inline + "|2^20|1:4", lifetime: 1 << 20, mki: []byte{0, 0, 0, 1}},
		{name: "identifier alone", value: inline + "|258:2", mki: []byte{1, 2}},
		{name: "identifier of 128 octets", value: inline + "|1:128", mki: append(make([]byte, 127), 1)},
		{name: "window hint", value: inline + " WSH=64"},
		{name: "dispensable parameter", value: inline + " -FUTURE=1"},
		{name: "not encrypted", value: inline + " UNENCRYPTED_SRTP", refused: true},
		{name: "RTCP not encrypted", value: inline + " UNENCRYPTED_SRTCP", refused: true},
		{name: "not authenticated", value: inline + " UNAUTHENTICATED_SRTP", refused: true},
		{name: "derivation rate", value: inline + " KDR=1", refused: true},
		{name: "error correction", value: inline + " FEC_ORDER=FEC_SRTP", refused: true},
		{name: "unknown parameter", value: inline + " FUTURE", refused: true},
		{name: "two keys", value: inline + "|1:1;inline:" + key30 + "|2:1", refused: true},
		{name: "too long a life", value: inline + "|2^49", refused: true},
		{name: "no life", value: inline + "|0", refused: true},
		{name: "endless power", value: inline + "|2^999999999999", refused: true},
		{name: "identifier too long for its length", value: inline + "|256:1", refused: true},
		{name: "identifier without length", value: inline + "|1:", refused: true},
		{name: "identifier of 129 octets", value: inline + "|1:129", refused: true},
		{name: "too much", value: inline + "|1|1:1|1", refused: true},
		{name: "no Base64", value: "1 AES_CM_128_HMAC_SHA1_80 inline:***", refused: true},
		{name: "another method", value: "1 AES_CM_128_HMAC_SHA1_80 uri:x", refused: true},
		{name: "no tag", value: "x AES_CM_128_HMAC_SHA1_80 inline:" + key30, refused: true},
		{name: "endless tag", value: "1234567890 AES_CM_128_HMAC_SHA1_80 inline:" + key30, refused: true},
		{name: "no key", value: "1 AES_CM_128_HMAC_SHA1_80", refused: true},
		{name: "nothing", value: "", refused: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := parseCrypto(tc.value)
			if (c.Err != nil) != tc.refused {
				t.Fatalf("%v", c.Err)
			}
			if tc.refused {
				return
			}
			if c.Lifetime != tc.lifetime || !bytes.Equal(c.MKI, tc.mki) || len(c.Secret) != 30 || c.Tag != 1 {
				t.Errorf("%+v", c)
			}
			if len(tc.mki) <= 8 {
				again := parseCrypto(c.text())
				if again.Err != nil || fmt.Sprint(again) != fmt.Sprint(c) || !bytes.Equal(again.Secret, c.Secret) {
					t.Errorf("%v, written and read again: %v", c, again)
				}
			}
		})
	}
}

func TestFingerprints(t *testing.T) {
	long := "sha-384 " + strings.TrimSuffix(strings.Repeat("0a:", 48), ":")
	for value, want := range map[string]bool{
		print: true, strings.ToUpper(print): true, long: true,
		strings.Replace(print, "sha-256", "sha-384", 1): false,
		strings.Replace(print, "sha-256", "sha-1", 1):   false,
		strings.ReplaceAll(print, ":", ""):              false,
		print + ":00":                                   false,
		"sha-256 ":                                      false,
		"sha-256":                                       false,
		"":                                              false,
		"md2 00":                                        false,
	} {
		f, ok := parseFingerprint(value)
		if ok != want {
			t.Errorf("%q: %v", value, ok)
		}
		if ok && !strings.EqualFold(f.String(), value) {
			t.Errorf("%q was written %q", value, f)
		}
	}
}

func TestKeyingOfOffers(t *testing.T) {
	crypto := "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + key30
	for _, tc := range []struct {
		name      string
		offer     []byte
		demanded  bool
		lines     int
		prints    int
		setup, id string
	}{
		{name: "clear", offer: secured("RTP/AVP"), setup: "active"},
		{name: "SDES", offer: secured("RTP/SAVP", crypto), demanded: true, lines: 1, setup: "active"},
		{name: "opportunistic", offer: secured("RTP/AVP", crypto, crypto), lines: 2, setup: "active"},
		{name: "DTLS", offer: secured("UDP/TLS/RTP/SAVPF", "a=fingerprint:"+print, "a=setup:actpass", "a=tls-id:abc3de65cddef001be82"),
			demanded: true, prints: 1, setup: "actpass", id: "abc3de65cddef001be82"},
		{name: "DTLS for the session", demanded: true, prints: 1, setup: "passive", offer: text("v=0", "o=- 1 1 IN IP4 1.2.3.4", "s=-",
			"c=IN IP4 1.2.3.4", "t=0 0", "a=fingerprint:"+print, "a=setup:passive", "m=audio 5000 UDP/TLS/RTP/SAVP 0")},
		{name: "both", offer: secured("RTP/SAVPF", crypto, "a=fingerprint:"+print, "a=fingerprint:sha-1 00:11", "a=setup:ACTPASS"),
			demanded: true, lines: 1, prints: 1, setup: "actpass"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, err := Parse(tc.offer)
			if err != nil {
				t.Fatal(err)
			}
			k := s.Audio.Keying
			if k.Demanded() != tc.demanded || len(k.Crypto) != tc.lines || len(k.Fingerprints) != tc.prints || k.Setup != tc.setup || k.ID != tc.id {
				t.Errorf("%+v", k)
			}
			if k.Offered() != (tc.lines+tc.prints > 0) {
				t.Error("keys offered:", k.Offered())
			}
		})
	}
}

func TestAnswerRepeatsTheTransport(t *testing.T) {
	offer, err := Parse(secured("UDP/TLS/RTP/SAVPF", "a=fingerprint:"+print, "a=setup:actpass"))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := Answer(offer, local()); !errors.Is(err, ErrKeying) {
		t.Errorf("without keys: %v", err)
	}
	own, _ := parseFingerprint(print)
	l := local()
	l.Keying = Keying{DTLS: DTLS{Fingerprints: []Fingerprint{own}, Setup: "active"}}
	answer, _, err := Answer(offer, l)
	if err != nil {
		t.Fatal(err)
	}
	checkLines(t, answer, []string{"m=audio 20000 UDP/TLS/RTP/SAVPF 0"}, []string{"a=fingerprint:" + print, "a=setup:active"}, []string{"tls-id"})
}

func TestOfferOfKeys(t *testing.T) {
	line := parseCrypto("7 AEAD_AES_128_GCM inline:" + key30[:36] + "==")
	l := local()
	l.Keying = Keying{Transport: "RTP/SAVP", Crypto: []Crypto{line}}
	offer := Offer(l)
	checkLines(t, offer, []string{"m=audio 20000 RTP/SAVP 0 8 101"}, []string{"a=crypto:" + line.text()}, []string{"setup"})
	plain, err := Parse(secured("RTP/AVP"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Negotiate(l, plain); err != nil {
		t.Errorf("answered in the clear: %v", err)
	}
}

// Where a stream is offered both protected and not, what is liked counts.
func TestAlternatives(t *testing.T) {
	offer := text("v=0", "o=- 1 1 IN IP4 1.2.3.4", "s=-", "c=IN IP4 1.2.3.4", "t=0 0",
		"m=audio 5000 RTP/SAVP 0", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:"+key30, "m=audio 5002 RTP/AVP 8")
	s, err := Parse(offer)
	if err != nil || s.Audio.Keying.Demanded() {
		t.Fatalf("%+v, %v", s.Audio, err)
	}
	answer, _, err := Answer(s, local())
	if err != nil {
		t.Fatal(err)
	}
	checkLines(t, answer, []string{"m=audio 0 RTP/SAVP 0", "m=audio 20000 RTP/AVP 8"}, nil, nil)
	if !s.Prefer(func(a *Audio) bool { return a.Keying.Demanded() }) {
		t.Fatal("there is a protected one")
	}
	l := local()
	l.Keying.Crypto = slices.Clone(s.Audio.Keying.Crypto)
	if answer, _, err = Answer(s, l); err != nil {
		t.Fatal(err)
	}
	checkLines(t, answer, []string{"m=audio 20000 RTP/SAVP 0", "m=audio 0 RTP/AVP 8"}, nil, nil)
	if s.Prefer(func(*Audio) bool { return false }) {
		t.Error("none is liked")
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	s, err := Parse(secured("RTP/SAVP", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:"+key30))
	if err != nil {
		t.Fatal(err)
	}
	written, err := json.Marshal(s.Audio.Keying.Crypto[0].Secret)
	if err != nil {
		t.Fatal(err)
	}
	shown := fmt.Sprintf("%v %+v %#v %s %x %q", s.Audio.Keying, s.Audio.Keying, s.Audio.Keying.Crypto[0].Secret, s.Audio.Keying.Crypto[0].Secret,
		s.Audio.Keying.Crypto[0].Secret, s.Audio.Keying.Crypto[0].Secret) + string(written)
	for _, part := range []string{"d0Rm", "119 68", "774466"} {
		if strings.Contains(shown, part) {
			t.Errorf("%s", shown)
		}
	}
	for _, bad := range []string{"1 X inline:" + key30 + "!", "1 X inline:" + key30 + "|9^9", "1 X inline:" + key30 + " KDR=" + key30} {
		if c := parseCrypto(bad); c.Err == nil || strings.Contains(c.Err.Error(), "d0Rm") {
			t.Errorf("%q: %v", bad, c.Err)
		}
	}
}

func FuzzCrypto(f *testing.F) {
	f.Add("1 AES_CM_128_HMAC_SHA1_80 inline:" + key30 + "|2^20|1:4 WSH=64")
	f.Add("999999999 F8_128_HMAC_SHA1_80 inline:" + key30 + "|1:128 KDR=24 -X")
	f.Fuzz(func(t *testing.T, value string) {
		c := parseCrypto(value)
		if c.Err != nil || len(c.MKI) > 8 {
			return
		}
		again := parseCrypto(c.text())
		if again.Err != nil || again.Tag != c.Tag || !bytes.Equal(again.Secret, c.Secret) || !bytes.Equal(again.MKI, c.MKI) || again.Lifetime != c.Lifetime {
			t.Fatalf("%q, written and read again: %v", value, again)
		}
	})
}

func FuzzFingerprint(f *testing.F) {
	f.Add(print)
	f.Add("sha-384 00")
	f.Fuzz(func(t *testing.T, value string) {
		if p, ok := parseFingerprint(value); ok {
			if again, ok := parseFingerprint(p.String()); !ok || again != p {
				t.Fatalf("%q became %q", value, p)
			}
		}
	})
}
